"""A classifier and pixels in, its class activation maps out: where it looked for each class."""

import numpy as np
import torch
from numpy.typing import NDArray

from training.model.network import Classifier


@torch.inference_mode()
def class_activation_maps(classifier: Classifier, images_nhwc: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The last layer's weights laid on the last stage's feature map: uint8 [N, H, W, 3] -> float32 [N, C, h, w].

    The mean of a map over its pixels, and the bias, are the logit. Source: Zhou et al. 2016, arXiv 1512.04150.
    """
    features = classifier.features(torch.from_numpy(images_nhwc.copy()))
    maps: NDArray[np.float32] = torch.einsum("nfhw,cf->nchw", features, classifier.backbone.fc.weight).numpy()
    return maps
