using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>What every part of one answer repeats. <paramref name="Created"/> is in Unix seconds.</summary>
internal sealed record AnswerHead(string Id, long Created, string Model)
{
    public static AnswerHead For(CompletionCall call, TimeProvider time) => new(
        (call.Api == CompletionApi.Chat ? "chatcmpl-" : "cmpl-") + call.Request.Id.Value, time.GetUtcNow().ToUnixTimeSeconds(), call.Request.Model);

    public static string Name(FinishReason reason) => reason == FinishReason.Length ? "length" : "stop";
}
