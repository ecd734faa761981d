"""Faults of MMAction2 with optical flow: pictures of two channels, x and y.

Its transforms are from the time when flow was a list of x and y in turn, grey pictures;
since 1.1, `RawFrameDecode` gives pictures of two channels.
"""

import os
from typing import TYPE_CHECKING

from repflow_mm.compat.fault import (
    UNREPORTED,
    Fault,
    is_original,
    replace_method,
)
from repflow_mm.errors import InputError, MissingFileError

if TYPE_CHECKING:  # the doctor runs where numpy and OpenCV are missing
    import numpy as np


def _is_flow(picture: 'np.ndarray') -> bool:
    return picture.ndim == 3 and picture.shape[-1] == 2


def _negate(pictures: list['np.ndarray'], axis: int = 0) -> None:
    """Negate the x of mirrored flow (axis 0) or its y, in place."""
    for picture in filter(_is_flow, pictures):
        picture[..., axis] = 255 - picture[..., axis]


# Flip inverts x and y of every even picture, and nothing of the odd ones.


def _flip() -> tuple[type, str]:
    from mmaction.datasets.transforms import Flip

    return Flip, '_flip_imgs'


def _patch_flip() -> None:
    import mmcv

    flip, name = _flip()
    original = getattr(flip, name)

    def patched(self, imgs, modality):
        if not any(map(_is_flow, imgs)):
            return original(self, imgs, modality)
        for img in imgs:
            mmcv.imflip_(img, self.direction)
        _negate(imgs, 0 if self.direction == 'horizontal' else 1)
        return imgs

    replace_method(flip, name, patched)


# Fuse, which performs a lazy Flip, inverts nothing.


def _fuse() -> tuple[type, str]:
    from mmaction.datasets.transforms import Fuse

    return Fuse, 'transform'


def _patch_fuse() -> None:
    fuse, name = _fuse()
    original = getattr(fuse, name)

    def patched(self, results):
        lazy = dict(results.get('lazy', {}))
        results = original(self, results)
        if lazy.get('flip'):
            # Pictures that were neither cropped nor resized are read-only views.
            results['imgs'] = [img.copy() for img in results['imgs']]
            axis = 0 if lazy['flip_direction'] == 'horizontal' else 1
            _negate(results['imgs'], axis)
        return results

    replace_method(fuse, name, patched)


# TenCrop mirrors every other crop and inverts nothing.


def _ten_crop() -> tuple[type, str]:
    from mmaction.datasets.transforms import TenCrop

    return TenCrop, 'transform'


def _patch_ten_crop() -> None:
    ten_crop, name = _ten_crop()
    original = getattr(ten_crop, name)

    def patched(self, results):
        count = len(results['imgs'])
        results = original(self, results)
        for start in range(count, 10 * count, 2 * count):
            _negate(results['imgs'][start : start + count])
        return results

    replace_method(ten_crop, name, patched)


# ArrayDecode gives x and y as pictures of their own, which FormatShape does not take.


def _array_decode() -> tuple[type, str]:
    from mmaction.datasets.transforms import ArrayDecode

    return ArrayDecode, 'transform'


def _patch_array_decode() -> None:
    import numpy as np

    array_decode, name = _array_decode()
    original = getattr(array_decode, name)

    def patched(self, results):
        results = original(self, results)
        if results['modality'] == 'Flow' and results['imgs'][0].ndim == 2:
            x_and_y = results['imgs'][::2], results['imgs'][1::2]
            results['imgs'] = [
                np.stack(pair, -1) for pair in zip(*x_and_y, strict=True)
            ]
        return results

    replace_method(array_decode, name, patched)


# RawFrameDecode: a missing picture ends in a traceback of a worker, and of a damaged or
# other one, nothing says which it is.


def _raw_frame_decode() -> tuple[type, str]:
    from mmaction.datasets.transforms import RawFrameDecode

    return RawFrameDecode, 'transform'


def _patch_raw_frame_decode() -> None:
    decode, name = _raw_frame_decode()
    original = getattr(decode, name)

    def patched(self, results):
        try:
            results = original(self, results)
            sound = len({(img.shape, img.dtype) for img in results['imgs']}) == 1
        except Exception:  # of several libraries
            _check_pictures(self, results)
            raise
        if not sound or results['imgs'][0].dtype != 'uint8':
            _check_pictures(self, results)
        return results

    replace_method(decode, name, patched)


def _check_pictures(decode, results: dict) -> None:
    """Raise `InputError` if a picture is not there, broken or of another size."""
    import cv2
    import numpy as np

    if decode.file_client is None:  # which cannot be built: another mistake
        return
    folder, template = results['frame_dir'], results['filename_tmpl']
    remedy = (
        'extract this video again, or correct the list, filename_tmpl or start_index'
    )
    shape, first = None, ''
    for number in np.ravel(results['frame_inds']) + results.get('offset', 0):
        flow = results['modality'] == 'Flow'
        for args in (('x', number), ('y', number)) if flow else ((number,),):
            path = os.path.join(folder, template.format(*args))
            try:
                picture = cv2.imdecode(
                    np.frombuffer(decode.file_client.get(path), np.uint8), -1
                )
            except FileNotFoundError:
                total = results.get('total_frames')
                listed = f', of {total} listed frames' if total else ''
                raise MissingFileError(
                    f'there is no {path}{listed}: {remedy}'
                ) from None
            except cv2.error:  # an empty file
                picture = None
            if picture is None:
                raise InputError(f'{path} is not a picture: {remedy}')
            height, width = picture.shape[:2]
            shape, first = shape or (height, width), first or path
            if shape != (height, width):
                raise InputError(
                    f'{path} is {width}x{height}, but {first} is '
                    f'{shape[1]}x{shape[0]}, as if from another video: {remedy}'
                )


# With in_channels other than 3, ResNet and ResNet3d leave the first convolution random.
# It gets the mean over RGB, as in TSN (Wang et al., 2016).


def _resnet() -> tuple[type, str]:
    from mmaction.models.backbones.resnet import ResNet

    return ResNet, '_load_conv_params'


def _patch_resnet() -> None:
    from repflow_mm.checkpoint.first_convolution import for_channels

    resnet, name = _resnet()
    original = getattr(resnet, name)

    def patched(conv, state_dict, module_name, names):
        key = f'{module_name}.weight'
        weight = for_channels(state_dict[key], conv.weight.shape[1])
        original(conv, {**state_dict, key: weight}, module_name, names)

    replace_method(resnet, name, patched)


def _resnet3d() -> tuple[type, str]:
    from mmaction.models.backbones.resnet3d import ResNet3d

    return ResNet3d, '_inflate_weights'


def _patch_resnet3d() -> None:
    from mmengine.runner.checkpoint import _load_checkpoint

    from repflow_mm.checkpoint.first_convolution import for_channels

    resnet3d, name = _resnet3d()
    original = getattr(resnet3d, name)

    def patched(self, logger):
        original(self, logger)
        # A stage of a network has no first convolution.
        channels = getattr(self, 'in_channels', 3)
        if channels != 3:
            given = _load_checkpoint(self.pretrained, map_location='cpu')
            weight = given.get('state_dict', given)['conv1.weight']
            first = {'conv1.weight': for_channels(weight, channels)}
            self._inflate_conv_params(self.conv1.conv, first, 'conv1', [])

    replace_method(resnet3d, name, patched)


FAULTS = (
    Fault(
        name='Flip inverts x and y of every other picture of flow',
        upstream=UNREPORTED,
        until='it inverts x of every picture of two channels',
        present=is_original(_flip),
        patch=_patch_flip,
    ),
    Fault(
        name='Fuse mirrors flow without inverting x',
        upstream=UNREPORTED,
        until='it inverts x of mirrored flow',
        present=is_original(_fuse),
        patch=_patch_fuse,
    ),
    Fault(
        name='TenCrop mirrors flow without inverting x',
        upstream=UNREPORTED,
        until='it inverts x of mirrored flow',
        present=is_original(_ten_crop),
        patch=_patch_ten_crop,
    ),
    Fault(
        name='ArrayDecode gives flow that FormatShape cannot take',
        upstream=UNREPORTED,
        until='it gives pictures of two channels, as RawFrameDecode',
        present=is_original(_array_decode),
        patch=_patch_array_decode,
    ),
    Fault(
        name='RawFrameDecode does not say which picture is missing, broken or of '
        'another size',
        upstream=UNREPORTED,
        until='its errors name the file',
        present=is_original(_raw_frame_decode),
        patch=_patch_raw_frame_decode,
    ),
    Fault(
        name='ResNet for flow leaves its first convolution random',
        upstream=UNREPORTED,
        until='it loads the mean over RGB',
        present=is_original(_resnet),
        patch=_patch_resnet,
    ),
    Fault(
        name='ResNet3d for flow leaves its first convolution random',
        upstream=UNREPORTED,
        until='it inflates the mean over RGB of 2D weights',
        present=is_original(_resnet3d),
        patch=_patch_resnet3d,
    ),
)
