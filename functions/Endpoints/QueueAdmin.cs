using System.Globalization;
using R1Serverless.Hosting;
using R1Serverless.OpenAi;
using R1Serverless.Queues;

namespace R1Serverless.Endpoints;

/// <summary><c>r1 queue</c> over HTTP: what waits, what was put aside, and giving it another chance. Prompts are never shown.</summary>
internal sealed class QueueAdmin(QueueConnection connection)
{
    private const string MostField = "most";
    private const int Usual = 20, Largest = 10_000, LongestBody = 1024;
    private static readonly KnownFields Fields = new([MostField], [], []);
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    /// <summary>GET /manage/queues: both queues.</summary>
    public async Task StatisticsAsync(HttpContext context)
    {
        if (await QueueAsync(context) is not { } queue) return;
        List<(WorkClass, QueueStatistics)> found = [];
        foreach (WorkClass one in Enum.GetValues<WorkClass>()) found.Add((one, await queue.StatisticsAsync(one, context.RequestAborted)));
        await JsonAnswers.WriteAsync(context, output => QueueJson.Write(output, found));
    }

    /// <summary>GET /manage/queues/{class}/messages?most=N: the oldest that wait.</summary>
    public async Task MessagesAsync(HttpContext context)
    {
        if (await ClassAsync(context) is not { } one || await MostInQueryAsync(context) is not { } most || await QueueAsync(context) is not { } queue) return;
        IReadOnlyList<QueuedMessage> found = await queue.PeekAsync(one, most, context.RequestAborted);
        await JsonAnswers.WriteAsync(context, output => QueueJson.Write(output, [.. found.Select(message => (one, message))]));
    }

    /// <summary>GET /manage/queues/{class}/dead-letters?most=N: what was put aside, and why.</summary>
    public async Task DeadLettersAsync(HttpContext context)
    {
        if (await ClassAsync(context) is not { } one || await MostInQueryAsync(context) is not { } most || await QueueAsync(context) is not { } queue) return;
        IReadOnlyList<DeadLetter> found = await queue.PeekDeadLettersAsync(one, most, context.RequestAborted);
        await JsonAnswers.WriteAsync(context, output => QueueJson.Write(output, [.. found.Select(letter => (one, letter))]));
    }

    /// <summary>POST /manage/queues/{class}/redrive <c>{"most":N}</c>: dead letters go back into the queue.</summary>
    public async Task RedriveAsync(HttpContext context)
    {
        if (await ClassAsync(context) is not { } one || await MostInBodyAsync(context) is not { } most || await OpenAsync(context) is not { } transport) return;
        int moved = await transport.RedriveAsync(one, most, context.RequestAborted);
        await JsonAnswers.WriteAsync(context, output => QueueJson.Write(output, [(one, moved)]));
    }

    private static async ValueTask<WorkClass?> ClassAsync(HttpContext context)
    {
        string name = context.GetRouteValue("class") as string ?? "";
        foreach (WorkClass one in Enum.GetValues<WorkClass>())
        {
            if (WorkClassName.Of(one) == name) return one;
        }

        await ErrorAnswers.WriteAsync(context, ApiError.WithStatus(
            StatusCodes.Status404NotFound, $"There is no queue '{Shortened.Name(name)}': there are {string.Join(" and ", Enum.GetValues<WorkClass>().Select(WorkClassName.Of))}.", "queue_not_found"));
        return null;
    }

    private static async ValueTask<int?> MostInQueryAsync(HttpContext context)
    {
        if (!context.Request.Query.TryGetValue(MostField, out var text)) return Usual;
        if (int.TryParse(text.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out int most) && most is >= 1 and <= Largest) return most;
        await ErrorAnswers.WriteAsync(context, ApiError.Invalid($"'{MostField}' must be a whole number from 1 to {Largest}.", MostField, "invalid_value"));
        return null;
    }

    private static async ValueTask<int?> MostInBodyAsync(HttpContext context)
    {
        FaultSlot faults = new();
        // A web page may not send JSON to a local port without asking the browser's leave: this keeps it out.
        if (!context.Request.HasJsonContentType())
        {
            faults.Add(ApiError.WithStatus(
                StatusCodes.Status415UnsupportedMediaType, "Send the body, such as {\"most\":20}, as JSON, with the header 'Content-Type: application/json'.", "unsupported_media_type"));
        }
        else if (await RequestBytes.ReadAsync(context.Request, LongestBody, context.RequestAborted) is not { } body)
        {
            faults.Add(ApiError.WithStatus(StatusCodes.Status413PayloadTooLarge, $"The body may have at most {LongestBody} bytes.", "request_too_large"));
        }
        else if (RequestBody.Parse(body, faults) is { } document)
        {
            using (document)
            {
                RequestReader reader = new(document.RootElement, "", faults);
                Fields.Check(reader);
                long? most = reader.Required(MostField) is { } value ? reader.IntegerOf(value, MostField, 1, Largest) : null;
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
