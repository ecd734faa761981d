"""A Runner for configs with variables, for use with any `train.py`."""

from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

from repflow_mm.config import apply_variables


@RUNNERS.register_module()
class VariablesRunner(Runner):
    """A Runner that first applies the config's variables.

    MMAction2's own `tools/train.py` and `tools/test.py` build the `runner_type` after
    merging `--cfg-options`.
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build a runner.

        Args:
            cfg (Config): A complete config; see
                :func:`repflow_mm.config.apply_variables`.

        Returns:
            Runner: Built from the config with its variables applied.
        """
        apply_variables(cfg)
        return super().from_cfg(cfg)
