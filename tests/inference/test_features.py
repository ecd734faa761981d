import numpy as np
import pytest
import torch

from tests.helpers.paths import MOTION_CONFIG


@pytest.fixture(scope='module')
def features(plugin):
    from repflow_mm.inference import features

    return features


def test_pooling(features):
    x = torch.randn(2, 5, 4, 3, 3)
    per_frame = x.mean((-2, -1)).transpose(1, 2)
    torch.testing.assert_close(features.pooled(x, 2), per_frame)
    folded = x.transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(features.pooled(folded, 2), per_frame)
    slow = torch.arange(2.0).view(1, 1, 2, 1, 1)
    fast = torch.arange(6.0).view(1, 1, 6, 1, 1)
    both = features.pooled((slow, fast), 1)[0]
    assert both.tolist() == [[0, 0], [0, 1], [0, 2], [1, 3], [1, 4], [1, 5]]
    assert features.pooled(torch.zeros(2, 7), 2).shape == (2, 1, 7)
    with pytest.raises(ValueError, match=r'network.s have shape \(2, 3, 4\)'):
        features.pooled(torch.zeros(2, 3, 4), 2)


def test_a_list_of_videos(checkpoint, recognizer, long_video, tmp_path, capsys):
    videos = tmp_path / 'videos'
    videos.mkdir()
    (videos / 'a clip 7.mp4').write_bytes(long_video.read_bytes())
    lists = tmp_path / 'val.txt'
    lists.write_text('a clip 7.mp4 3\n\n')
    from repflow_mm.commands import extract_features

    network = ['--config', str(MOTION_CONFIG), '--checkpoint', str(checkpoint)]
    out = ['--out', str(tmp_path / 'out'), '--device', 'cpu']
    extract_features.main([str(lists), '--root', str(videos), *network, *out])
    with np.load(tmp_path / 'out' / 'a clip 7.npz') as file:
        found = dict(file)
    assert found['clip'].shape == (4, 512) and found['clip'].dtype == np.float32
    assert found['frame'].shape == (4, 7, 512)  # 8 frames have 7 flows
    np.testing.assert_allclose(found['frame'].mean(1), found['clip'], rtol=1e-6)
    np.testing.assert_allclose(found['seconds'][1], (8 / 25, 15 / 25))
    # The head's output for them is the network's prediction.
    head = recognizer.model.cls_head.fc_cls
    logits = head(torch.from_numpy(found['clip'])).softmax(-1)
    scores = recognizer.predict(long_video).window_scores
    np.testing.assert_allclose(logits.detach().numpy(), scores, atol=1e-6)

    lists.write_text('gone.mp4 3\n')
    with pytest.raises(SystemExit):
        extract_features.main([str(lists), '--root', str(videos), *network, *out])
    assert 'val.txt:1: there is no gone.mp4 in' in capsys.readouterr().err
