using Microsoft.Azure.Functions.Worker;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Serving;

namespace R1Serverless.Triggers;

/// <summary>Before an instance gets its first calls, it connects to queue and store and goes once through what a call runs through, up to the
/// queue.</summary>
public static class WarmupFunction
{
    private static readonly TimeSpan LongestOpening = TimeSpan.FromSeconds(30);

    private static readonly byte[] Call =
        """{"model":"r1","messages":[{"role":"system","content":"é"},{"role":"user","content":"1 + 1?"}],"max_tokens":16,"stream":true}"""u8.ToArray();

    [Function("Warmup")]
    public static async Task RunAsync([WarmupTrigger] object instance, FunctionContext context)
    {
        var server = await context.InstanceServices.GetRequiredService<ServerServices>().GetAsync(context.CancellationToken);
        var queue = await server.GetRequiredService<QueueConnection>().OpenWithinAsync(LongestOpening, context.CancellationToken);
        await queue.Workers.ListAsync(context.CancellationToken);
        if (CompletionCall.Read(CompletionApi.Chat, Call, new ValidationResult(), null, null, null, "") is not { } call) return;
        var message =
            MessageFormat.Write(
                new QueuedRequest { Request = call.Request, Class = WorkClass.Interactive, ReplyTo = queue.Transport.Replies.Address });
        MessageFormat.ReadRequest(message);
    }
}
