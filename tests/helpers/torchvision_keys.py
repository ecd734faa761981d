"""Weights of MMAction2's ResNets as files of torchvision have them."""


def torchvision_keys(state_dict: dict) -> dict:
    """Map MMAction2's names of a 2D ResNet's weights to torchvision's."""
    renamed = {}
    for key, value in state_dict.items():
        if 'downsample' in key:
            key = key.replace('downsample.conv', 'downsample.0')
            key = key.replace('downsample.bn', 'downsample.1')
        else:
            for i in (1, 2, 3):
                key = key.replace(f'conv{i}.conv', f'conv{i}')
                key = key.replace(f'conv{i}.bn', f'bn{i}')
        renamed[key] = value
    return renamed
