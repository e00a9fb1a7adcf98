"""What a run leaves to look at: a TensorBoard log and its curves as a picture."""

import contextlib
import io
import math
from pathlib import Path
from typing import Any

from hw.common import files
from hw.common.errors import SpikeloomError

CURVES = "curves.png"
History = list[dict[str, Any]]  #: One epoch each: epoch, loss, train, validation, lr.


class Log:
    """Writes ``folder``; both packages belong to the extra ``train``.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    done : int
        Epochs done before; what an interrupted run logged of later ones is hidden.
    """

    def __init__(self, folder: Path, done: int = 0):
        self.folder = folder
        try:
            import matplotlib as _matplotlib  # noqa: F401
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise SpikeloomError(
                f"Log {folder}: needs {error.name}, which is not installed: run "
                "pip install -e '.[train]', or leave --log out"
            ) from error
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)
        except OSError as error:
            raise SpikeloomError(
                f"Log {folder}: cannot be written ({error.strerror}); choose another --log"
            ) from error

    def epoch(self, history: History) -> None:
        """Note the last epoch of ``history``."""
        last, cure = history[-1], "free space there, or choose another --log"
        with files.disk_errors(self.folder, cure):
            for name, value in last.items():
                if name != "epoch" and value is not None:
                    self.writer.add_scalar(name, value, last["epoch"])
            self.writer.flush()
        files.write(self.folder / CURVES, curves(history), cure)

    def close(self) -> None:
        """Finish the files."""
        with contextlib.suppress(OSError):
            self.writer.close()


def curves(history: History) -> bytes:
    """PNG of loss, accuracies and learning rate over the epochs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [h["epoch"] for h in history]
    loss, accuracy, rate = figure.subplots(1, 3)
    loss.plot(epochs, [h["loss"] for h in history])
    loss.set_ylabel("training loss")
    for name, style in (("train", "--"), ("validation", "-")):
        values = [h.get(name) for h in history]
        if any(v is not None for v in values):
            shown = [100 * (math.nan if v is None else v) for v in values]
            accuracy.plot(epochs, shown, style, label=name)
    accuracy.set_ylabel("accuracy, %")
    accuracy.legend()
    rate.plot(epochs, [h["lr"] for h in history])
    rate.set_ylabel("learning rate")
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
