"""Mutants of src/initium/cli."""

from tests.mutants.mutant import Mutant

INPUTS, MODEL = ("cli/test_inputs.py",), ("cli/test_model.py",)

MUTANTS = (
    Mutant("cli/arguments.py", "if 0 in spec.shape or spec.below == 0:", "if 0 in spec.shape:", ("cli/test_arguments.py",),
           "token ids below 0"),
    Mutant("cli/inputs.py", "Integers(0, spec.below)", "Integers(0, spec.below + 1)", INPUTS, "token ids that are one too large"),
    Mutant("cli/inputs.py", "(image - image.amin()) / (image.amax() - image.amin())", "image", INPUTS,
           "detectors take pictures from 0 to 1"),
    Mutant("cli/inputs.py", "return images if count == 3 else images.mean(1, keepdim=True)", "return images[:, :count]",
           INPUTS, "grey pictures"),
    Mutant("cli/inputs.py", "path.suffix.lower() in READ_SUFFIXES", "path.suffix in READ_SUFFIXES", INPUTS, "image files in capitals"),
    Mutant("cli/model.py", "torch.manual_seed(seed)", "pass", MODEL, "models by seed"),
    Mutant("cli/model.py", '{"pretrained": False, **arguments}', '{**arguments, "pretrained": False}', MODEL,
           "an argument of the user is overruled"),
    Mutant("cli/model.py", "(3, 299, 299) if", "(3, 224, 224) if", MODEL, "the usual input of Inception"),
    Mutant("cli/main.py", "return 2 if self.usage else 1", "return 1", ("cli/test_main.py",), "exit code of a usage error"),
    Mutant("cli/main.py", "super().__init__(clean(str(error)))", "super().__init__(str(error))",
           ("cli/test_main.py", "cli/test_output.py", "cli/test_model.py"), "hostile names in messages"),
    Mutant("cli/diagnose.py", '"warning": {"error", "warning"}', '"warning": {"warning"}', ("cli/test_diagnose.py",),
           "errors do not fail where warnings do"),
    Mutant("cli/apply.py", "receipt = plan.apply(built, seed=seed)", "receipt = plan.apply(built)", ("cli/test_apply.py",),
           "the seed of the weights"),
    Mutant("cli/methods.py", 'wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"',
           "wanted = pattern", ("cli/test_methods.py",), "a part of a name"),
    Mutant("cli/subject.py", "model.eval()", "pass", ("cli/test_diagnose.py", "cli/test_output.py"), "--eval"),
    Mutant("cli/demo_page.py", '"good" if ours.final < default.final', '"good" if ours.final > default.final',
           ("cli/test_demo_page.py",), "the verdict of the quickstart"),
)  # fmt: skip
