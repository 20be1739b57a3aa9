namespace R1Serverless.Tests.Engine.Encoders;

/// <summary>Files beside a graph as sentence-transformers writes them.</summary>
internal static class SentenceFiles
{
    private const string Normalize = """{"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"}""";

    /// <param name="pooling">The content of 1_Pooling/config.json.</param>
    public static void Write(string folder, bool normalizes, int maxLength, string pooling)
    {
        string[] modules =
        [
            """{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"}""",
            """{"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}""",
            .. normalizes ? (string[])[Normalize] : [],
        ];
        File.WriteAllText(Path.Combine(folder, "modules.json"), $"[{string.Join(',', modules)}]");
        File.WriteAllText(Path.Combine(folder, "sentence_bert_config.json"), $$"""{"max_seq_length":{{maxLength}},"do_lower_case":false}""");
        Directory.CreateDirectory(Path.Combine(folder, "1_Pooling"));
        File.WriteAllText(Path.Combine(folder, "1_Pooling", "config.json"), pooling);
    }
}
