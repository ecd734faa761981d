"""Registry of the datasets that can be prepared: one module and one entry each."""

from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.hmdb51 import HMDB51
from repflow_mm.preparation.kinetics400 import Kinetics400
from repflow_mm.preparation.tiny_kinetics import TinyKinetics
from repflow_mm.preparation.ut_interaction import UTInteraction
from repflow_mm.preparation.video_folder import VideoFolder
from repflow_mm.preparation.weizmann import Weizmann

DATASETS: tuple[Preparation, ...] = (
    Kinetics400(),
    TinyKinetics(),
    HMDB51(),
    Weizmann(),
    UTInteraction(),
    VideoFolder(),
)
