using R1Serverless.Hosting;
using R1Serverless.OpenAi;
using R1Serverless.Queues;

namespace R1Serverless.Triggers;

/// <summary>POST /Warmup: before an instance gets its first calls, it connects to queue and store and goes once through what a call runs through, up to the queue.</summary>
internal sealed class WarmupTrigger(QueueConnection connection)
{
    private static readonly TimeSpan LongestOpening = TimeSpan.FromSeconds(30);

    private static readonly byte[] Call = """{"model":"r1","messages":[{"role":"system","content":"é"},{"role":"user","content":"1 + 1?"}],"temperature":0.6,"max_tokens":16,"stream":true}"""u8.ToArray();

    public async Task RunAsync(HttpContext context)
    {
        OpenQueue queue = await connection.OpenWithinAsync(LongestOpening, context.RequestAborted);
        await queue.Workers.ListAsync(context.RequestAborted);
        if (CompletionCall.Read(CompletionApi.Chat, Call, new FaultSlot(), null, null, null, "") is { } call)
        {
            byte[] message = MessageFormat.Write(new QueuedRequest { Request = call.Request, Class = WorkClass.Interactive, ReplyTo = queue.Transport.Replies.Address });
            MessageFormat.ReadRequest(message);
        }

        await InvocationAnswer.WriteAsync(context);
    }
}
