namespace R1Serverless.Requests;

/// <summary>Answers requests: the local engine, or (later) a queue with workers behind it.</summary>
public interface IInference
{
    /// <summary>
    /// Runs one request. The sequence of events ends with <see cref="InferenceEvent.Finished"/> or <see cref="InferenceEvent.Failed"/>;
    /// cancelling the token, or no longer enumerating, frees what the request holds at the next step.
    /// </summary>
    IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken);
}
