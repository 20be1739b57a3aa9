using System.IO.Pipelines;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api.Endpoints;

/// <summary>Answers as server-sent events: everything that is ready goes out in one flush, and a comment every so often keeps proxies from hanging
/// up.</summary>
internal sealed partial class EventStream(TimeProvider time, ILogger<EventStream> log)
{
    /// <summary>Far below the 230 s after which Azure's front end cuts a silent connection.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(15);

    // A burst larger than this is flushed on the way, so that the buffer stays small.
    private const int LargestBatch = 32 << 10;
    private static readonly byte[] Heartbeat = ": heartbeat\n\n"u8.ToArray();

    /// <summary>Streams to the end. Where <paramref name="events"/> is not yet on its first event, the stream begins with a heartbeat.</summary>
    /// <param name="first">The move to the first event.</param>
    public async Task WriteAsync(
        HttpContext context, CompletionCall call, AnswerHead head, IAsyncEnumerator<InferenceEvent> events, Task<bool> first,
        CancellationToken cancellationToken)
    {
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache";
        context.Response.Headers["X-Accel-Buffering"] = "no";

        using IEventWriter chunks = call.Api == CompletionApi.Responses ? new ResponseEventWriter(head) : new ChunkWriter(call, head);
        using SemaphoreSlim mayWrite = new(0, 1);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var body = context.Response.BodyWriter;
        // Ended by disposing: cancelling a wait for it throws, and looks for its source lines, at the end of every stream.
        using PeriodicTimer beats = new(HeartbeatInterval, time);
        var heartbeats = BeatAsync(body, beats, mayWrite, isDue: !first.IsCompleted, ended.Token);
        try
        {
            await PumpAsync(context, call, events, new ValueTask<bool>(first), chunks, mayWrite, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Either the client has gone and reads nothing, or the process must stop and says so.
            chunks.WriteError(ApiError.Unavailable("The server shut down before the answer was complete.", "draining", TimeSpan.Zero));
        }
        catch (Exception fault)
        {
            LogFailure(fault, context.TraceIdentifier);
            chunks.WriteError(ApiError.Internal(context.TraceIdentifier));
        }
        finally
        {
            beats.Dispose();
            await ended.CancelAsync();
            await heartbeats;
        }

        await body.WriteAsync(chunks.Written, context.RequestAborted);
    }

    /// <summary>Writes events until the last; leaves the unsent rest in <paramref name="chunks"/>. Only its owner may write: this holds
    /// <paramref name="mayWrite"/> except while it waits for the next event.</summary>
    private static async Task PumpAsync(
        HttpContext context, CompletionCall call, IAsyncEnumerator<InferenceEvent> events, ValueTask<bool> next, IEventWriter chunks,
        SemaphoreSlim mayWrite,
        CancellationToken cancellationToken)
    {
        var body = context.Response.BodyWriter;
        while (true)
        {
            bool more;
            if (next.IsCompleted)
            {
                more = await next;
            }
            else
            {
                try
                {
                    await FlushAsync(body, chunks, cancellationToken);
                    mayWrite.Release();
                }
                finally
                {
                    // Awaited even if the flush failed: an enumerator must not be disposed in the middle of a move.
                    more = await next;
                }

                await mayWrite.WaitAsync(cancellationToken);
            }

            if (!more) throw new InvalidOperationException("The engine's events ended without Finished.");
            var inferenceEvent = events.Current;
            if (inferenceEvent is InferenceEvent.Failed failed)
            {
                chunks.WriteError(ApiError.From(failed.Error, call.PromptField, context.TraceIdentifier));
                return;
            }

            chunks.Write(inferenceEvent);
            if (inferenceEvent is InferenceEvent.Finished) return;
            if (chunks.Written.Length > LargestBatch) await FlushAsync(body, chunks, cancellationToken);
            next = events.MoveNextAsync();
        }
    }

    private static async ValueTask FlushAsync(PipeWriter body, IEventWriter chunks, CancellationToken cancellationToken)
    {
        var flush = body.WriteAsync(chunks.Written, cancellationToken);
        if (!flush.IsCompletedSuccessfully) await flush;
        chunks.Clear();
    }

    private static async Task BeatAsync(PipeWriter body, PeriodicTimer beats, SemaphoreSlim mayWrite, bool isDue, CancellationToken ended)
    {
        try
        {
            while (isDue || await beats.WaitForNextTickAsync(CancellationToken.None))
            {
                isDue = false;
                await mayWrite.WaitAsync(ended);
                try
                {
                    await body.WriteAsync(Heartbeat, ended);
                }
                finally
                {
                    mayWrite.Release();
                }
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The stream has ended.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed in the middle of its stream")]
    private partial void LogFailure(Exception fault, string requestId);
}
