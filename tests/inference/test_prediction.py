import numpy as np


def test_scores_segments_and_top_classes(plugin):
    from repflow_mm.inference.prediction import Prediction

    windows = np.array([(0, 0.28), (0.32, 0.6), (0.64, 0.92), (0.76, 1.04)])
    scores = [(0.7, 0.2, 0.1), (0.6, 0.1, 0.3), (0, 0.5, 0.5), (0.1, 0.1, 0.8)]
    prediction = Prediction(('run', 'jump', 'walk'), windows, np.array(scores))
    np.testing.assert_allclose(prediction.scores, (0.35, 0.225, 0.425))
    assert [(a.label, a.name) for a in prediction.top(2)] == [(2, 'walk'), (0, 'run')]
    run, jump, walk = prediction.segments
    assert run == (0, 0.6, 0, 'run', np.mean((0.7, 0.6)))
    assert jump == (0.64, 0.92, 1, 'jump', 0.5)
    # The last window overlaps the one before, and the segments do not.
    assert walk == (0.92, 1.04, 2, 'walk', 0.8)
    assert repr(prediction).splitlines() == [
        'Prediction from 0.00 s to 1.04 s, 4 windows',
        '   42.5 %  walk',
        '   35.0 %  run',
        '   22.5 %  jump',
    ]
