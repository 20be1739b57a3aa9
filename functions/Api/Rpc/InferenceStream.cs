using Grpc.Core;

namespace R1Serverless.Api.Rpc;

/// <summary>
/// A stream of requests, as Triton has it: several are answered at the same time, each by one response or more, which its id tells apart; a request
/// that fails does not end the stream. Every response says whether it is its request's last.
/// </summary>
/// <param name="responses">Takes one response at a time.</param>
/// <param name="answer">Answers one request: writes each response, with whether it is the last.</param>
internal sealed class InferenceStream(
    IServerStreamWriter<ModelStreamInferResponse> responses, Func<ModelInferRequest, Func<ModelInferResponse, bool, Task>, Task> answer) : IDisposable
{
    /// <summary>The response parameter.</summary>
    private const string Final = "triton_final_response";

    /// <summary>Requests that are answered at the same time: no more are read meanwhile.</summary>
    private const int AtOnce = 64;

    private readonly SemaphoreSlim _room = new(AtOnce), _pen = new(1);

    /// <summary>Returns when the client sends no more and all is answered.</summary>
    /// <param name="noMore">Ends the reading; what was read is answered first.</param>
    /// <exception cref="OperationCanceledException"><paramref name="noMore"/> was cancelled.</exception>
    public async Task RunAsync(IAsyncStreamReader<ModelInferRequest> requests, CancellationToken noMore)
    {
        try
        {
            while (await requests.MoveNext(noMore))
            {
                await _room.WaitAsync(noMore);
                _ = AnswerAsync(requests.Current);
            }
        }
        finally
        {
            for (var left = 0; left < AtOnce; left++) await _room.WaitAsync(CancellationToken.None);
        }
    }

    public void Dispose()
    {
        _room.Dispose();
        _pen.Dispose();
    }

    private async Task AnswerAsync(ModelInferRequest request)
    {
        try
        {
            await answer(request, (response, isLast) => WriteAsync(new ModelStreamInferResponse { InferResponse = response }, isLast));
        }
        catch (RpcException fault)
        {
            ModelInferResponse named = new() { ModelName = request.ModelName, Id = request.Id };
            await TryWriteAsync(new ModelStreamInferResponse { ErrorMessage = fault.Status.Detail, InferResponse = named });
        }
        catch (Exception fault) when (IsGone(fault))
        {
            // The client reads no more.
        }
        finally
        {
            _room.Release();
        }
    }

    private async Task TryWriteAsync(ModelStreamInferResponse response)
    {
        try
        {
            await WriteAsync(response, isLast: true);
        }
        catch (Exception fault) when (IsGone(fault))
        {
            // The client reads no more.
        }
    }

    private static bool IsGone(Exception fault) => fault is OperationCanceledException or InvalidOperationException or IOException;

    private async Task WriteAsync(ModelStreamInferResponse response, bool isLast)
    {
        response.InferResponse.Parameters.Add(Final, new InferParameter { BoolParam = isLast });
        await _pen.WaitAsync();
        try
        {
            await responses.WriteAsync(response);
        }
        finally
        {
            _pen.Release();
        }
    }
}
