using Microsoft.Azure.Functions.Worker;
using R1Serverless.Hosting;
using R1Serverless.OpenAi;
using R1Serverless.Queues;

namespace R1Serverless.Triggers;

/// <summary>Before an instance gets its first calls, it connects to queue and store and goes once through what a call runs through, up to the queue.</summary>
public static class WarmupFunction
{
    private static readonly TimeSpan LongestOpening = TimeSpan.FromSeconds(30);

    private static readonly byte[] Call = """{"model":"r1","messages":[{"role":"system","content":"é"},{"role":"user","content":"1 + 1?"}],"temperature":0.6,"max_tokens":16,"stream":true}"""u8.ToArray();

    [Function("Warmup")]
    public static async Task RunAsync([WarmupTrigger] object instance, FunctionContext context)
    {
        OpenQueue queue = await context.InstanceServices.GetRequiredService<QueueConnection>().OpenWithinAsync(LongestOpening, context.CancellationToken);
        await queue.Workers.ListAsync(context.CancellationToken);
        if (CompletionCall.Read(CompletionApi.Chat, Call, new FaultSlot(), null, null, null, "") is not { } call) return;
        byte[] message = MessageFormat.Write(new QueuedRequest { Request = call.Request, Class = WorkClass.Interactive, ReplyTo = queue.Transport.Replies.Address });
        MessageFormat.ReadRequest(message);
    }
}
