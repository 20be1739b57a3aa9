using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Writes the events of one request as server-sent events into a buffer of its own.</summary>
internal interface IEventWriter : IDisposable
{
    /// <summary>What is written and not yet cleared.</summary>
    ReadOnlyMemory<byte> Written { get; }

    void Clear();

    /// <summary>Writes any event but <see cref="InferenceEvent.Failed"/>, which the caller turns into an error.</summary>
    void Write(InferenceEvent inferenceEvent);

    void WriteError(ApiError error);
}
