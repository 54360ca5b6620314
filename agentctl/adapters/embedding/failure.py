"""What goes wrong when a provider is asked."""


class EmbeddingError(Exception):
    """The provider cannot be asked or refuses; says why, and never repeats a key or an answer."""


class SecretMissingError(EmbeddingError):
    """The variable that holds the provider's key is not set."""

    def __init__(self, variable: str) -> None:
        super().__init__(f"the variable {variable} is not set")
        self.variable = variable
