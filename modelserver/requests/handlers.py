"""The request handlers that there are; none of them has a state."""

from modelserver.requests.classify import ClassifyHandler
from modelserver.requests.predict import PredictHandler
from modelserver.requests.regress import RegressHandler

PREDICT = PredictHandler()
CLASSIFY = ClassifyHandler()
REGRESS = RegressHandler()
