"""Faults of the installed stack: detected and patched if present, else left alone."""

import importlib.util
import pkgutil
import signal
import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from repflow_mm import compat
from repflow_mm.commands import doctor
from repflow_mm.compat import packages
from tests.helpers.paths import OLD_STACK, ONEDL_STACK


def fault(word: str) -> compat.Fault:
    (found,) = (fault for fault in compat.FAULTS if word in fault.name)
    return found


@pytest.mark.slow
def test_everything_of_mmaction_models_imports(run_python):
    code = """
import repflow_mm.plugin, pkgutil, importlib, mmaction.models
for module in pkgutil.walk_packages(mmaction.models.__path__, 'mmaction.models.'):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:  # of other optional packages
        assert error.name in ('mmpretrain', 'mmdet', 'transformers'), error
"""
    result = run_python('-W', 'error::UserWarning:mmcv', '-c', code)
    assert result.returncode == 0, result.stderr
    assert result.stdout == '' and 'Fail to import' not in result.stderr


def test_each_entry_names_the_upstream_issue_and_its_end():
    for entry in compat.FAULTS:
        assert entry.upstream and entry.until and entry.name
        assert (entry.patch is None) == bool(entry.command)


def test_importing_compat_changes_and_writes_nothing(run_python):
    code = """
import sys

def look(event, args):
    if event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+'):
        if not str(args[0]).startswith('/dev/') and '__pycache__' not in str(args[0]):
            print('WROTE', args[0])

sys.addaudithook(look)
from repflow_mm import compat
# What is not imported cannot have been patched.
[fault.present() for fault in compat.FAULTS if fault.stops_training]
assert not {'torch', 'mmengine', 'mmcv', 'mmaction'} & set(sys.modules)
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr
    assert 'WROTE' not in result.stdout


@pytest.mark.slow
def test_each_patch_removes_its_fault_and_detection_alone_does_not(run_python):
    code = """
from repflow_mm import compat

for fault in compat.FAULTS:
    there = fault.present()
    assert fault.present() == there, fault.name
    if fault.patch is not None and there:
        fault.patch()
        assert not fault.present(), fault.name
    print(there, fault.name)
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr
    found = dict(line.split(' ', 1)[::-1] for line in result.stdout.splitlines())
    for word in ('drn', 'Recognizer2D', 'unpickles', 'repflow_mm::'):  # in every stack
        assert found[fault(word).name] == 'True'
    for word in ('OpenCV', 'mmcv is missing', 'written into'):
        assert found[fault(word).name] == 'False'


@pytest.fixture
def lay_out(tmp_path, monkeypatch):
    """Installed packages, with the files of an import: `lay_out(NAME='VERSION')`."""

    def lay_out(**versions: str) -> None:
        for package, version in versions.items():
            package = package.replace('_', '-')
            (name,) = (n for n, found in packages.PROVIDERS.items() if package in found)
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / '__init__.py').touch()
            record = tmp_path / f'{package.replace("-", "_")}-{version}.dist-info'
            record.mkdir()
            text = f'Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n'
            (record / 'METADATA').write_text(text)
        importlib.invalidate_caches()

    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    for name in ('cv2', 'mmengine', 'mmcv', 'mmaction'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return lay_out


LITE = '"mmcv-lite>=2.0.1,<2.2"'


@pytest.mark.parametrize(
    ('installed', 'remedy'),
    [
        (dict(mmcv_lite='2.1.0', mmengine='0.10.7'), ''),
        (dict(onedl_mmcv='2.3.6', onedl_mmengine='0.10.12'), ''),
        (dict(mmcv='2.2.0', mmengine='0.10.7'), ''),
        (dict(mmengine='0.10.7'), f'pip install --no-deps {LITE}'),
        (dict(onedl_mmengine='0.10.12'), 'pip install --no-deps onedl-mmcv'),
        (
            dict(mmcv_full='1.7.2', mmengine='0.10.7'),
            f'pip uninstall -y mmcv-full && pip install --no-deps {LITE}',
        ),
    ],
    ids=str,
)
def test_mmcv_is_replaced_by_one_of_its_family(lay_out, installed, remedy):
    lay_out(**installed)
    entry = fault('mmcv is missing')
    assert entry.present() == bool(remedy)
    assert not remedy or entry.remedy() == remedy


def test_packages_mixed_in_one_folder_are_replaced_by_one(lay_out):
    entry = fault('written into')
    lay_out(onedl_mmengine='0.10.12', onedl_mmcv='2.3.6')
    assert not entry.present()
    lay_out(mmcv_lite='2.1.0')  # what our doctor recommended once
    assert entry.present()
    assert entry.remedy() == (
        'pip uninstall -y onedl-mmcv mmcv-lite && '
        'pip install --no-deps onedl-mmcv==2.3.6'
    )


def test_what_is_missing_is_installed_without_what_it_would_overwrite(lay_out):
    lay_out(onedl_mmengine='0.10.12')
    for package in packages._REQUIRED:
        assert package not in packages.install_command('cv2')
    command = packages.install_command('mmcv', 'cv2', 'numpy')
    plain, alone = command.split(' && ')
    assert plain.startswith('pip install numpy addict ') and 'opencv' not in plain
    assert alone == 'pip install --no-deps onedl-mmcv opencv-contrib-python-headless'


def test_files_that_another_package_took_away_come_back(lay_out, tmp_path):
    lay_out(onedl_mmengine='0.10.12', onedl_mmcv='2.3.6')
    (tmp_path / 'mmcv' / '__init__.py').unlink()  # by uninstalling mmcv-lite
    assert packages.folder_of('mmcv') is None
    command = packages.install_command('mmcv').split(' && ')[-1]
    assert command == 'pip install --no-deps --force-reinstall onedl-mmcv==2.3.6'


def test_pkgutil_without_find_loader(plugin, monkeypatch):
    """As in Python 3.14; MMEngine calls it for `paramwise_cfg`, mmcv for its ops."""
    from mmcv.utils.ext_loader import check_ops_exist
    from mmengine.optim import build_optim_wrapper
    from torch import nn

    entry = fault('find_loader')
    monkeypatch.setattr(pkgutil, 'find_loader', lambda name: None, raising=False)
    assert not entry.present()
    monkeypatch.delattr(pkgutil, 'find_loader')
    with pytest.raises(AttributeError, match='find_loader'):
        check_ops_exist()
    assert entry.present()
    entry.patch()
    assert not entry.present() and not check_ops_exist()
    wrapper = dict(optimizer=dict(type='SGD', lr=1.0), paramwise_cfg={})
    assert build_optim_wrapper(nn.Linear(1, 1), wrapper).optimizer.defaults['lr'] == 1
    assert pkgutil.find_loader('mmcv') is importlib.util.find_spec('mmcv').loader


@pytest.mark.slow
@pytest.mark.parametrize('version', ['2.2.0', '2.3.6'])
def test_a_newer_mmcv_is_accepted_and_keeps_its_version(run_python, version):
    code = f"""
import importlib.metadata, mmcv
mmcv.__version__ = {version!r}
from repflow_mm.compat import FAULTS, packages
packages.installed = lambda name: dict(mmcv={version!r})
try:
    import mmaction
except AssertionError:
    print('refused')
(fault,) = (fault for fault in FAULTS if 'refuses mmcv' in fault.name)
assert fault.present()
import repflow_mm.plugin
assert not fault.present()
print(mmcv.__version__)
"""
    result = run_python('-c', code)
    assert result.stdout.split() == ['refused', version], result.stderr


def test_opencv_that_does_not_import(monkeypatch):
    assert not fault('OpenCV').present()
    monkeypatch.setitem(sys.modules, 'cv2', None)
    assert fault('OpenCV').present()


@pytest.mark.parametrize('there', [True, False])
def test_mmengine_needs_pkg_resources(monkeypatch, there):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name: (there or None) if name == 'pkg_resources' else find(name),
    )
    assert fault('pkg_resources').present() != there


def test_drn_stands_in_only_where_it_is_missing(plugin):
    entry = fault('drn')
    assert compat.state(entry) == 'patched' and not entry.present()
    drn = sys.modules['mmaction.models.localizers.drn.drn'].DRN
    with pytest.raises(ValueError, match='mmaction2#2714'):
        drn()


@pytest.mark.slow
@pytest.mark.skipif(
    not OLD_STACK.is_dir(), reason='mmaction2 1.1 is laid out by quickstart.py alone'
)
def test_the_old_stack_needs_fewer_patches(run_python):
    result = run_python('-m', 'repflow_mm', 'doctor', stack='old')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'mmaction    1.1.0' in result.stdout and 'mmcv        2.0.1' in result.stdout
    assert 'absent    mmaction2 lacks localizers/drn' in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(
    not ONEDL_STACK.is_dir(),
    reason="OneDL's packages are laid out by quickstart.py alone",
)
def test_doctor_on_onedl(run_python):
    result = run_python('-m', 'repflow_mm', 'doctor', stack='onedl')
    assert result.returncode == 0, result.stdout + result.stderr
    assert '(onedl-mmengine)' in result.stdout and '(onedl-mmcv)' in result.stdout
    for word in ('mmaction2 refuses mmcv 2.2', 'MMEngine cannot load'):
        assert f'patched   {word}' in result.stdout
    assert 'also installed: mm' not in result.stdout  # those below are hidden
    assert 'needs you' not in result.stdout


def test_hue_jitter_works_and_is_what_numpy_1_computed(plugin):
    from mmaction.datasets.transforms import ColorJitter

    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.float32)
    for factor in (-0.1, 0.0, 0.1):
        assert ColorJitter.adjust_hue(image, factor).dtype == np.float32
    for factor in (-0.5, -0.1, 0.1, 0.5):
        hue_shift = 2 * int(factor * 255)  # OpenCV's hue is in steps of 2 degrees
        red = np.array([[[255.0, 0.0, 0.0]]])
        out = ColorJitter.adjust_hue(red, factor)[0, 0] / 255
        import colorsys

        hue = 360 * colorsys.rgb_to_hsv(*out)[0]
        assert (hue - hue_shift + 180) % 360 - 180 == pytest.approx(0, abs=2)


def test_loaders_that_run_pickles_or_refuse_logs_are_faulty(plugin, monkeypatch):
    from mmengine.runner import checkpoint

    entry = fault('unpickles')
    assert compat.state(entry) == 'patched' and not entry.present()

    def unrestricted(filename, map_location):
        return torch.load(filename, map_location, weights_only=False)

    def refuses_its_own(filename, map_location):
        return torch.load(filename, map_location, weights_only=True)

    for loader in (unrestricted, refuses_its_own):
        monkeypatch.setattr(checkpoint, 'load_from_local', loader)
        assert entry.present()


def test_doctor_reports_and_runs_a_step(run_python):
    result = run_python('-m', 'repflow_mm', 'doctor')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'Training can start' in result.stdout
    assert 'patched   mmaction2 lacks localizers/drn' in result.stdout
    for entry in compat.FAULTS:
        assert entry.name in result.stdout


def test_doctor_names_the_command_for_what_is_missing(monkeypatch, capsys):
    find = packages.folder_of
    gone = ('mmcv', 'cv2', 'decord')
    monkeypatch.setattr(packages, 'folder_of', lambda n: None if n in gone else find(n))
    monkeypatch.setattr(packages, 'installed', lambda name: {})
    with pytest.raises(SystemExit) as stop:
        doctor.main([])
    assert stop.value.code == 1
    command = f'pip install --no-deps opencv-contrib-python-headless {LITE}'
    assert capsys.readouterr().out.strip().endswith(f'cannot start: {command}')


def test_doctor_stops_where_opencv_does_not_import(run_python, tmp_path):
    (tmp_path / 'cv2').mkdir()
    (tmp_path / 'cv2' / '__init__.py').write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file')"
    )
    code = f'import sys; sys.path.insert(0, {str(tmp_path)!r})\n'
    code += 'from repflow_mm.commands.doctor import main; main([])'
    result = run_python('-c', code)
    assert result.returncode == 1, result.stderr
    assert 'needs you OpenCV does not import' in result.stdout
    assert '-> pip uninstall -y opencv' in result.stdout
    headless = 'pip install --no-deps opencv-contrib-python-headless'
    assert f'&& {headless}' in result.stdout
    assert result.stdout.strip().endswith('Training cannot start.')


@pytest.mark.slow
def test_a_truncated_avi_does_not_end_the_process(run_python, tmp_path):
    path = tmp_path / 'cut.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 25, (64, 48))
    noise = np.random.default_rng(0)
    for _ in range(30):
        writer.write(noise.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    read = f"""
import numpy
from mmaction.registry import TRANSFORMS
results = TRANSFORMS.build(dict(type='DecordInit'))(dict(filename={str(path)!r}))
results['frame_inds'] = numpy.arange(results['total_frames'])
TRANSFORMS.build(dict(type='DecordDecode'))(results)
print('frames', results['total_frames'])
"""
    patched = run_python('-c', 'import repflow_mm.plugin' + read)
    assert patched.returncode in (0, 1), patched.stderr  # read, or an exception
    if OLD_STACK.is_dir():  # which can be imported without us
        plain = 'import mmaction.datasets.transforms' + read
        assert run_python('-c', plain, stack='old').returncode == -signal.SIGSEGV


def test_a_collate_function_is_not_given_a_scope(plugin):
    from mmengine.runner import Runner

    assert compat.state(fault('collate')) == 'patched'
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=[1, 2],
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate', _scope_='mmaction'),
    )
    assert list(Runner.build_dataloader(loader)) == [[1, 2]]
    assert '_scope_' in loader['collate_fn']  # the config is left as it was


def test_tpns_head_tests_the_classifier_it_has(plugin):
    from mmaction.registry import MODELS

    assert compat.state(fault('TPN')) == 'patched'
    head = MODELS.build(dict(type='TPNHead', num_classes=3, in_channels=4)).eval()
    x = torch.rand(2, 4, 1, 2, 2)
    for _ in range(2):  # also after further training
        nn.init.normal_(head.fc_cls.weight)
        scores = head(x, fcn_test=True)
        torch.testing.assert_close(scores, head.fc_cls(x.mean((2, 3, 4))))
    assert set(head.state_dict()) == {'fc_cls.weight', 'fc_cls.bias'}


# Flow: pictures of two channels, x and y.


def transformed(step: dict, pictures: np.ndarray, **more) -> np.ndarray:
    from mmaction.registry import TRANSFORMS

    results = dict(
        imgs=[picture.copy() for picture in pictures],
        img_shape=pictures.shape[1:3],
        modality='Flow',
        **more,
    )
    return np.array(TRANSFORMS.build(step)(results)['imgs'])


@pytest.fixture
def flow():
    return np.random.default_rng(0).integers(0, 256, (3, 6, 8, 2)).astype(np.uint8)


def mirrored(pictures: np.ndarray) -> np.ndarray:
    out = pictures[:, :, ::-1].copy()
    out[..., 0] = 255 - out[..., 0]
    return out


def test_flip_negates_x_of_every_picture_of_flow(plugin, flow):
    assert compat.state(fault('Flip')) == 'patched'
    out = transformed(dict(type='Flip', flip_ratio=1), flow)
    np.testing.assert_array_equal(out, mirrored(flow))
    # Frames are mirrored as before, and so is flow as a list of x and y in turn.
    grey = flow[..., 0]
    out = transformed(dict(type='Flip', flip_ratio=1), grey)
    np.testing.assert_array_equal(out[1], grey[1, :, ::-1])
    np.testing.assert_array_equal(out[::2], 255 - grey[::2, :, ::-1])


def test_a_lazy_flip_negates_x(plugin, flow):
    assert compat.state(fault('Fuse')) == 'patched'
    from mmaction.registry import TRANSFORMS

    lazy = dict(
        crop_bbox=np.array([0, 0, 8, 6.0]),
        interpolation=None,
        flip=True,
        flip_direction='horizontal',
    )
    out = transformed(dict(type='Fuse'), flow, lazy=lazy)
    np.testing.assert_array_equal(out, mirrored(flow))
    lazy['flip'] = False
    out = transformed(dict(type='Fuse'), flow, lazy=lazy)
    np.testing.assert_array_equal(out, flow)
    assert TRANSFORMS.get('Fuse').transform.__name__ == 'transform'


def test_ten_crops_negate_x_of_the_mirrored_ones(plugin, flow):
    assert compat.state(fault('TenCrop')) == 'patched'
    out = transformed(dict(type='TenCrop', crop_size=4), flow).reshape(10, 3, 4, 4, 2)
    np.testing.assert_array_equal(out[0], flow[:, :4, :4])
    for crop in range(0, 10, 2):
        np.testing.assert_array_equal(out[crop + 1], mirrored(out[crop]))


def test_an_array_of_flow_gives_pictures_of_two_channels(plugin, flow):
    assert compat.state(fault('ArrayDecode')) == 'patched'
    from mmaction.registry import TRANSFORMS

    results = dict(array=flow, modality='Flow', frame_inds=np.array([2, 0]))
    results = TRANSFORMS.build(dict(type='ArrayDecode'))(results)
    np.testing.assert_array_equal(results['imgs'], flow[[2, 0]])
    assert results['img_shape'] == (6, 8)


@pytest.mark.parametrize('kind', ['ResNet', 'RepFlowResNet', 'ResNet3d'])
@pytest.mark.parametrize('channels', [2, 10])
def test_the_first_convolution_on_flow_is_the_mean_over_rgb(
    plugin, tmp_path, kind, channels
):
    from mmaction.registry import MODELS

    from tests.helpers.torchvision_keys import torchvision_keys

    assert compat.state(fault('ResNet for flow')) == 'patched'
    assert compat.state(fault('ResNet3d for flow')) == 'patched'
    rgb = MODELS.build(dict(type='ResNet', depth=18))
    state = torchvision_keys(rgb.state_dict())
    torch.save(state, tmp_path / 'rgb.pth')
    cfg = dict(type=kind, depth=18, pretrained=str(tmp_path / 'rgb.pth'))
    if kind == 'RepFlowResNet':
        cfg['flow'] = None
    if kind == 'ResNet3d':
        cfg |= dict(conv1_kernel=(5, 7, 7), inflate=(0, 0, 0, 0))
    model = MODELS.build(cfg | dict(in_channels=channels))
    model.init_weights()
    weight = model.conv1.conv.weight
    mean = state['conv1.weight'].mean(1)
    if weight.dim() == 5:
        weight, mean = weight[:, :, 3], mean / 5  # inflated
    for channel in weight.unbind(1):
        torch.testing.assert_close(channel, mean)
    plain = MODELS.build(cfg)
    plain.init_weights()
    weight = plain.conv1.conv.weight
    weight = 5 * weight[:, :, 3] if weight.dim() == 5 else weight
    torch.testing.assert_close(weight, state['conv1.weight'])
