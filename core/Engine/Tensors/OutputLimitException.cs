using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Tensors;

/// <summary>The outputs of one request are more than may be kept of it.</summary>
internal sealed class OutputLimitException(long most) : Exception(Words(most))
{
    /// <summary>What the client is told.</summary>
    /// <param name="most">Bytes.</param>
    public static InferenceError Error(long most) => new(InferenceErrorKind.InvalidRequest, Words(most), "inputs");

    private static string Words(long most) =>
        $"The outputs of these inputs have more than the {most >> 20} MiB that one request may get: send fewer rows, or smaller ones.";
}
