"""The image contract in, the random changes that training images go through out."""

from torchvision.transforms import v2

from contract import ImageSpec


def augmentation(spec: ImageSpec) -> v2.Compose:
    """Random crop, flips and light, for a PIL image; its randomness is torch's."""
    whole = [v2.Resize((spec.resize, spec.resize))] if spec.fit == "stretch" else []
    return v2.Compose(
        [
            *whole,
            v2.RandomResizedCrop(spec.size, scale=(0.7, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
        ]
    )
