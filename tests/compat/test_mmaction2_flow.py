"""Faults of MMAction2 with optical flow."""

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from repflow_mm import compat
from repflow_mm.errors import command
from tests.helpers.compat import fault


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
    lazy['flip_direction'] = 'vertical'
    out = transformed(dict(type='Fuse'), flow, lazy=lazy)
    expected = flow[:, ::-1].copy()
    expected[..., 1] = 255 - expected[..., 1]
    np.testing.assert_array_equal(out, expected)
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


def test_wrong_files_of_flow_are_named_in_one_line(plugin, tmp_path, capsys):
    assert compat.state(fault('RawFrameDecode')) == 'patched'
    from mmaction.registry import DATASETS

    folder = tmp_path / 'clip'
    folder.mkdir()
    for name in (f'img_{c}_{n:05d}.jpg' for c in 'xy' for n in range(1, 5)):
        cv2.imwrite(str(folder / name), np.full((6, 8), 128, np.uint8))
    (tmp_path / 'list.txt').write_text('clip 4 0\n')
    sample = dict(type='SampleFrames', clip_len=4, num_clips=1, test_mode=True)
    dataset = DATASETS.build(
        dict(
            type='RawframeDataset',
            ann_file=str(tmp_path / 'list.txt'),
            data_prefix=dict(img=str(tmp_path)),
            filename_tmpl='img_{}_{:05d}.jpg',
            modality='Flow',
            pipeline=[sample, dict(type='RawFrameDecode')],
        )
    )
    assert dataset[0]['imgs'][3].shape == (6, 8, 2)

    @command
    def load(workers: int):
        list(DataLoader(dataset, batch_size=None, num_workers=workers))

    def error(workers: int = 0) -> str:
        with pytest.raises(SystemExit):
            load(workers)
        line = capsys.readouterr().err
        assert line.startswith('error: ') and line.count('\n') == 1
        assert 'extract this video again, or correct the list' in line
        return line

    capsys.readouterr()
    path = folder / 'img_y_00003.jpg'
    cv2.imwrite(str(path), np.zeros((5, 9), np.uint8))
    assert (
        f'{path} is 9x5, but {folder}/img_x_00001.jpg is 8x6, as if from an' in error()
    )
    for content in (b'', b'no picture'):
        path.write_bytes(content)
        assert f'{path} is not a picture' in error()
    path.unlink()
    assert f'there is no {path}, of 4 listed frames' in error(1)


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
