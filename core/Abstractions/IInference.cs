namespace R1Serverless.Abstractions;

/// <summary>Answers requests: the engine in this process, or the workers behind a queue.</summary>
public interface IInference
{
    /// <summary>
    /// Runs one request. The sequence of events ends with <see cref="InferenceEvent.Finished"/> or <see cref="InferenceEvent.Failed"/>;
    /// cancelling the token, or no longer enumerating, frees what the request holds at the next step.
    /// </summary>
    IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken);
}
