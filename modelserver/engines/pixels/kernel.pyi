import numpy as np
import numpy.typing as npt

def resize(image: npt.NDArray[np.uint8], result: npt.NDArray[np.uint8], antialias: bool, /) -> int: ...
