using System.Collections.Concurrent;
using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using R1Serverless.Tests.Triggers.Host.Rpc;
using Content = R1Serverless.Tests.Triggers.Host.Rpc.StreamingMessage.ContentOneofCase;

namespace R1Serverless.Tests.Triggers.Host;

/// <summary>
/// The host's end of the stream to its worker: StartStream, then WorkerInit, FunctionsMetadata and FunctionLoad, and then invocations. The order is
/// what the host's sources show; it is a guess that nothing else comes between.
/// </summary>
internal sealed class WorkerConnection(string folder) : FunctionRpc.FunctionRpcBase
{
    private readonly Channel<StreamingMessage> _out = Channel.CreateUnbounded<StreamingMessage>();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<InvocationResponse>> _invocations = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _log = new();
    private readonly TaskCompletionSource<IReadOnlyList<FunctionDefinition>> _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _status = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<FunctionDefinition> _functions = [];
    private int _loadedCount;

    /// <summary>Ends when the worker takes invocations; its functions, in the order in which the host tries their routes: by name.</summary>
    public Task<IReadOnlyList<FunctionDefinition>> Loaded => _loaded.Task;

    /// <summary>What the worker said that it can do.</summary>
    public IReadOnlyDictionary<string, string> Capabilities { get; private set; } = new Dictionary<string, string>();

    /// <summary>Where the worker takes HTTP requests itself; null where it does not.</summary>
    public string? HttpUri => Capabilities.GetValueOrDefault("HttpUri");

    /// <summary>What the worker logs through the host.</summary>
    public IReadOnlyCollection<string> Log => _log;

    public override async Task EventStream(IAsyncStreamReader<StreamingMessage> requestStream, IServerStreamWriter<StreamingMessage> responseStream,
        ServerCallContext context)
    {
        var writing = WriteAsync(responseStream, context.CancellationToken);
        try
        {
            while (await requestStream.MoveNext(context.CancellationToken)) Handle(requestStream.Current);
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            // The worker has ended, or was.
        }

        End(new IOException("The worker's stream has ended."));
        await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Whoever still waits for the worker waits in vain.</summary>
    public void End(Exception reason)
    {
        _out.Writer.TryComplete();
        _loaded.TrySetException(reason);
        foreach (var waiting in _invocations.Values) waiting.TrySetException(reason);
    }

    public async Task<InvocationResponse> InvokeAsync(FunctionDefinition function, string invocation, TypedData input, string? traceParent = null)
    {
        TaskCompletionSource<InvocationResponse> response = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _invocations[invocation] = response;
        InvocationRequest request =
            new()
            {
                InvocationId = invocation, FunctionId = function.Metadata.FunctionId,
                TraceContext = new RpcTraceContext { TraceParent = traceParent ?? "" }
            };
        request.InputData.Add(new ParameterBinding { Name = function.Parameter, Data = input });
        if (!_out.Writer.TryWrite(new StreamingMessage { InvocationRequest = request }))
            response.TrySetException(new IOException("The worker's stream has ended."));
        try
        {
            return await response.Task;
        }
        finally
        {
            _invocations.TryRemove(invocation, out _);
        }
    }

    public void Cancel(string invocation) =>
        _out.Writer.TryWrite(new StreamingMessage { InvocationCancel = new InvocationCancel { InvocationId = invocation } });

    /// <summary>What is invoked and has not ended.</summary>
    public IReadOnlyCollection<string> Running => [.. _invocations.Keys];

    /// <summary>Asks whether the worker is alive, as the host does while it watches its load.</summary>
    public async Task AskStatusAsync(TimeSpan limit)
    {
        _status = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _out.Writer.TryWrite(new StreamingMessage { RequestId = Guid.NewGuid().ToString(), WorkerStatusRequest = new WorkerStatusRequest() });
        await _status.Task.WaitAsync(limit);
    }

    public void Terminate(TimeSpan grace) =>
        _out.Writer.TryWrite(new StreamingMessage { WorkerTerminate = new WorkerTerminate { GracePeriod = Duration.FromTimeSpan(grace) } });

    private void Handle(StreamingMessage message)
    {
        switch (message.ContentCase)
        {
            case Content.StartStream:
                WorkerInitRequest begin = new() { HostVersion = "4.1037.0.0", WorkerDirectory = folder, FunctionAppDirectory = folder };
                begin.Capabilities["MultiStream"] = "10";
                Send(new StreamingMessage { WorkerInitRequest = begin });
                break;
            case Content.WorkerInitResponse when IsFine(message.WorkerInitResponse.Result):
                Capabilities = message.WorkerInitResponse.Capabilities.ToDictionary(StringComparer.Ordinal);
                Send(new StreamingMessage { FunctionsMetadataRequest = new FunctionsMetadataRequest { FunctionAppDirectory = folder } });
                break;
            case Content.FunctionMetadataResponse when IsFine(message.FunctionMetadataResponse.Result):
                _functions =
                    [.. message.FunctionMetadataResponse.FunctionMetadataResults.Select(FunctionDefinition.Of)
                        .OrderBy(one => one.Name, StringComparer.Ordinal)];
                foreach (var one in _functions)
                    Send(new StreamingMessage
                    {
                        FunctionLoadRequest =
                        new FunctionLoadRequest { FunctionId = one.Metadata.FunctionId, Metadata = one.Metadata }
                    });
                break;
            case Content.FunctionLoadResponse when IsFine(message.FunctionLoadResponse.Result):
                if (++_loadedCount == _functions.Count) _loaded.TrySetResult(_functions);
                break;
            case Content.InvocationResponse:
                if (_invocations.TryGetValue(message.InvocationResponse.InvocationId, out var waiting))
                    waiting.TrySetResult(message.InvocationResponse);
                break;
            case Content.WorkerStatusResponse:
                _status.TrySetResult();
                break;
            case Content.RpcLog:
                _log.Enqueue($"{message.RpcLog.Category}: {message.RpcLog.Message} {message.RpcLog.Exception?.Message}");
                break;
        }
    }

    private bool IsFine(StatusResult result)
    {
        if (result.Status == StatusResult.Types.Status.Success) return true;
        _loaded.TrySetException(new InvalidOperationException($"The worker refused: {result.Exception?.Message} {result.Exception?.StackTrace}"));
        return false;
    }

    private void Send(StreamingMessage message)
    {
        message.RequestId = Guid.NewGuid().ToString();
        _out.Writer.TryWrite(message);
    }

    private async Task WriteAsync(IServerStreamWriter<StreamingMessage> stream, CancellationToken cancellationToken)
    {
        await foreach (var message in _out.Reader.ReadAllAsync(cancellationToken)) await stream.WriteAsync(message, cancellationToken);
    }
}
