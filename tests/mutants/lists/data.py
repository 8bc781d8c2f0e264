"""Mutants of src/initium/data."""

from tests.mutants.mutant import Mutant

PICTURES, CLOTHES = ("data/test_pictures.py",), ("data/test_clothes.py",)

MUTANTS = (
    Mutant("data/clothes.py", "return (images - middle) / spread,", "return images - middle,", CLOTHES,
           "clothes of unit variance"),
    Mutant("data/clothes.py", "spread, middle = torch.std_mean(train, correction=0)",
           "spread, middle = torch.std_mean(images, correction=0)", CLOTHES,
           "test images are scaled by what was seen of the training images"),
    Mutant("data/packed_arrays.py", "array.flags.writeable = False", "pass", ("data/test_packed_arrays.py",),
           "arrays that all share can be written to"),
    Mutant("data/pictures.py", "(torch.stack(views) - mean) / std", "torch.stack(views) - mean", PICTURES,
           "photographs of the usual scale"),
    Mutant("data/pictures.py", "crop = crop.flip(-1) if turn % 2 else crop", "crop = crop", PICTURES,
           "crops are mirrored every other time"),
    Mutant("data/pictures.py", "_view(stored[i % len(stored)], i // len(stored), i, height, width)",
           "_view(stored[i % len(stored)], 0, i, height, width)", PICTURES, "the same picture again and again"),
)  # fmt: skip
