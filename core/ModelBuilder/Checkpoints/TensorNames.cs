namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>The tensors at both ends of a decoder, in every family.</summary>
internal static class TensorNames
{
    public const string Embedding = "model.embed_tokens.weight", Head = "lm_head.weight";
}
