"""MMEngine's Runner for configs with variables, under any `train.py`."""

from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

from repflow_mm.config import apply_variables


@RUNNERS.register_module()
class VariablesRunner(Runner):
    """A Runner that first applies the config's variables.

    MMAction2's own `tools/train.py` and `tools/test.py` build what `runner_type` names,
    after they have merged `--cfg-options`.
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build a runner.

        Args:
            cfg (Config): A whole config; see
                :func:`repflow_mm.config.apply_variables`.

        Returns:
            Runner: For the config with its variables applied.
        """
        apply_variables(cfg)
        return super().from_cfg(cfg)
