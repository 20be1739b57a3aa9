using System.Text.Json;
using R1Serverless.OpenAi;
using R1Serverless.Queues;

namespace R1Serverless.Endpoints;

/// <summary>The queue for operators' programs, over HTTP and on the command line: one JSON object with an array. Ages are in seconds.</summary>
internal static class QueueJson
{
    public static void Write(Stream output, IReadOnlyList<(WorkClass Class, QueueStatistics Now)> found) => Write(output, "queues", found, (json, one) =>
    {
        WriteClass(json, one.Class);
        json.WriteNumber("waiting", one.Now.Waiting);
        if (one.Now.Leased is { } leased) json.WriteNumber("leased", leased);
        else json.WriteNull("leased");
        if (one.Now.OldestAge is { } age) WriteAge(json, "oldest_age", age);
        else json.WriteNull("oldest_age");
        json.WriteNumber("dead_letters", one.Now.DeadLetters);
    });

    public static void Write(Stream output, IReadOnlyList<(WorkClass Class, QueuedMessage Message)> found) => Write(output, "waiting", found, (json, one) =>
    {
        WriteClass(json, one.Class);
        json.WriteString("request_id", one.Message.RequestId);
        json.WriteString("model", one.Message.Model);
        json.WriteString("batch", one.Message.Batch);
        json.WriteNumber("deliveries", one.Message.DequeueCount);
        WriteAge(json, "age", one.Message.Age);
    });

    public static void Write(Stream output, IReadOnlyList<(WorkClass Class, DeadLetter Letter)> found) => Write(output, "dead_letters", found, (json, one) =>
    {
        WriteClass(json, one.Class);
        json.WriteString("request_id", one.Letter.RequestId);
        json.WriteString("reason", one.Letter.Reason);
        json.WriteNumber("deliveries", one.Letter.DequeueCount);
        WriteAge(json, "age", one.Letter.Age);
    });

    public static void Write(Stream output, IReadOnlyList<(WorkClass Class, int Count)> moved) => Write(output, "redriven", moved, (json, one) =>
    {
        WriteClass(json, one.Class);
        json.WriteNumber("count", one.Count);
    });

    private static void Write<T>(Stream output, string name, IReadOnlyList<T> rows, Action<Utf8JsonWriter, T> fields)
    {
        using (Utf8JsonWriter json = new(output, new JsonWriterOptions { Indented = true, Encoder = WireJson.Encoder }))
        {
            json.WriteStartObject();
            json.WriteStartArray(name);
            foreach (T row in rows)
            {
                json.WriteStartObject();
                fields(json, row);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    private static void WriteClass(Utf8JsonWriter json, WorkClass one) => json.WriteString("class", WorkClassName.Of(one));

    private static void WriteAge(Utf8JsonWriter json, string name, TimeSpan age) => json.WriteNumber(name, Math.Round(age.TotalSeconds, 3));
}
