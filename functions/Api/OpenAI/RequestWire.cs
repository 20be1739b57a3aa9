using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>GET /v1/requests/{id}.</summary>
/// <param name="Object">Always <c>request</c>.</param>
/// <param name="Status">queued (it waits or runs), finished, failed, cancelled, expired or dead_lettered.</param>
/// <param name="Created">In Unix seconds.</param>
/// <param name="Response">What the call itself would have answered; null unless it finished.</param>
/// <param name="Error">Why it ended otherwise; null where it did not.</param>
internal sealed record RequestAnswer(string Id, string Object, string Status, long Created, string Model, JsonElement? Response, ErrorDetail? Error);

/// <summary>What a webhook is called with.</summary>
/// <param name="Type">The status behind <c>request.</c>, such as <c>request.finished</c>.</param>
internal sealed record WebhookBody(string Type, RequestAnswer Data);
