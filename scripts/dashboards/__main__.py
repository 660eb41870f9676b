"""Write Grafana's dashboards from their descriptions; a test compares the files with what this makes."""

from pathlib import Path

from scripts.dashboards.building import to_json
from scripts.dashboards.model import MODEL_BOARD
from scripts.dashboards.model_server import MODEL_SERVER_BOARD
from scripts.dashboards.service import SERVICE_BOARD

BOARDS = (SERVICE_BOARD, MODEL_BOARD, MODEL_SERVER_BOARD)
FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"


def files() -> dict[str, str]:
    """Return the name and the content of every file that belongs in `FOLDER`."""
    return {f"{board.identifier}.json": to_json(board) for board in BOARDS}


if __name__ == "__main__":
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
        print(FOLDER / name)
