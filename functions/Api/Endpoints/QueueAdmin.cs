using System.Globalization;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary><c>r1 queue</c> over HTTP: what waits, what was put aside, and giving it another chance. Prompts are never shown.</summary>
internal sealed class QueueAdmin(QueueConnection connection)
{
    private const string MaxField = "most";
    private const int Usual = 20, Largest = 10_000, LongestBody = 1024;
    private static readonly KnownFields Fields = new([MaxField], [], []);
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    /// <summary>GET /manage/queues: both queues.</summary>
    public async Task StatisticsAsync(HttpContext context)
    {
        if (await QueueAsync(context) is not { } queue) return;
        List<(WorkClass, QueueStatistics)> found = [];
        foreach (var one in Enum.GetValues<WorkClass>()) found.Add((one, await queue.StatisticsAsync(one, context.RequestAborted)));
        await JsonAnswers.WriteAsync(context, QueueJson.Of(found));
    }

    /// <summary>GET /manage/queues/{class}/messages?most=N: the oldest that wait.</summary>
    public async Task MessagesAsync(HttpContext context)
    {
        if (await ClassAsync(context) is not { } one || await MaxInQueryAsync(context) is not { } most || await QueueAsync(context) is not { } queue)
            return;
        var found = await queue.PeekAsync(one, most, context.RequestAborted);
        await JsonAnswers.WriteAsync(context, QueueJson.Of(found.Select(message => (one, message))));
    }

    /// <summary>GET /manage/queues/{class}/dead-letters?most=N: what was put aside, and why.</summary>
    public async Task DeadLettersAsync(HttpContext context)
    {
        if (await ClassAsync(context) is not { } one || await MaxInQueryAsync(context) is not { } most || await QueueAsync(context) is not { } queue)
            return;
        var found = await queue.PeekDeadLettersAsync(one, most, context.RequestAborted);
        await JsonAnswers.WriteAsync(context, QueueJson.Of(found.Select(letter => (one, letter))));
    }

    /// <summary>POST /manage/queues/{class}/redrive <c>{"most":N}</c>: dead letters go back into the queue.</summary>
    public async Task RedriveAsync(HttpContext context)
    {
        if (await ClassAsync(context) is not { } one || await MaxInBodyAsync(context) is not { } most
            || await OpenAsync(context) is not { } transport) return;
        var moved = await transport.RedriveAsync(one, most, context.RequestAborted);
        await JsonAnswers.WriteAsync(context, QueueJson.Of([(one, moved)]));
    }

    private static async ValueTask<WorkClass?> ClassAsync(HttpContext context)
    {
        var name = context.GetRouteValue("class") as string ?? "";
        foreach (var one in Enum.GetValues<WorkClass>())
        {
            if (WorkClassName.Of(one) == name) return one;
        }

        await ErrorAnswers.WriteAsync(context, ApiError.WithStatus(
            StatusCodes.Status404NotFound,
            $"There is no queue '{Truncated.Name(name)}': there are {string.Join(" and ", Enum.GetValues<WorkClass>().Select(WorkClassName.Of))}.",
            "queue_not_found"));
        return null;
    }

    private static async ValueTask<int?> MaxInQueryAsync(HttpContext context)
    {
        if (!context.Request.Query.TryGetValue(MaxField, out var text)) return Usual;
        if (int.TryParse(text.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var most) && most is >= 1 and <= Largest) return most;
        await ErrorAnswers.WriteAsync(context,
            ApiError.Invalid($"'{MaxField}' must be a whole number from 1 to {Largest}.", MaxField, "invalid_value"));
        return null;
    }

    private static async ValueTask<int?> MaxInBodyAsync(HttpContext context)
    {
        ValidationResult faults = new();
        if (await RequestBytes.ReadJsonAsync(context.Request, LongestBody, faults) is { } body && RequestBody.Parse(body, faults) is { } document)
        {
            using (document)
            {
                RequestReader reader = new(document.RootElement, "", faults);
                Fields.Check(reader);
                var most = reader.Required(MaxField) is { } value ? reader.IntegerOf(value, MaxField, 1, Largest) : null;
                if (faults.First is null) return (int?)most;
            }
        }

        await ErrorAnswers.WriteAsync(context, faults.First!);
        return null;
    }

    private async ValueTask<IRequestQueue?> QueueAsync(HttpContext context) => (await OpenAsync(context))?.Queue;

    private async ValueTask<Transport?> OpenAsync(HttpContext context)
    {
        if (connection.Queue is { } queue) return queue.Transport;
        await ErrorAnswers.WriteAsync(context, ApiError.Unavailable("The queue is not open yet.", "loading", RetryLater));
        return null;
    }
}
