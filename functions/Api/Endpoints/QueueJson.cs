using System.Text.Json.Nodes;
using R1Serverless.Queues;

namespace R1Serverless.Api.Endpoints;

/// <summary>The queue for operators' programs, over HTTP and on the command line: one JSON object with an array. Ages are in seconds.</summary>
internal static class QueueJson
{
    public static JsonObject Of(IEnumerable<(WorkClass Class, QueueStatistics Now)> found) => List("queues", found, one => new()
    {
        ["class"] = WorkClassName.Of(one.Class),
        ["waiting"] = one.Now.Waiting,
        ["leased"] = one.Now.Leased,
        ["oldest_age"] = one.Now.OldestAge is { } age ? Seconds(age) : null,
        ["dead_letters"] = one.Now.DeadLetters,
        ["models"] = new JsonArray([.. one.Now.Models.Select(model => new JsonObject
        {
            ["model"] = model.Model.Length > 0 ? model.Model : null,
            ["waiting"] = model.Waiting,
            ["leased"] = model.Leased,
            ["oldest_age"] = model.OldestAge is { } since ? Seconds(since) : null,
        })]),
    });

    public static JsonObject Of(IEnumerable<(WorkClass Class, QueuedMessage Message)> found) => List("waiting", found, one => new()
    {
        ["class"] = WorkClassName.Of(one.Class),
        ["request_id"] = one.Message.RequestId,
        ["model"] = one.Message.Model,
        ["batch"] = one.Message.Batch,
        ["deliveries"] = one.Message.DequeueCount,
        ["age"] = Seconds(one.Message.Age),
    });

    public static JsonObject Of(IEnumerable<(WorkClass Class, DeadLetter Letter)> found) => List("dead_letters", found, one => new()
    {
        ["class"] = WorkClassName.Of(one.Class),
        ["request_id"] = one.Letter.RequestId,
        ["reason"] = one.Letter.Reason,
        ["deliveries"] = one.Letter.DequeueCount,
        ["age"] = Seconds(one.Letter.Age),
    });

    public static JsonObject Of(IEnumerable<(WorkClass Class, int Count)> moved) => List("redriven", moved, one => new()
    {
        ["class"] = WorkClassName.Of(one.Class),
        ["count"] = one.Count,
    });

    private static JsonObject List<T>(string name, IEnumerable<T> rows, Func<T, JsonObject> row) =>
        new() { [name] = new JsonArray([.. rows.Select(row)]) };

    private static double Seconds(TimeSpan age) => Math.Round(age.TotalSeconds, 3);
}
