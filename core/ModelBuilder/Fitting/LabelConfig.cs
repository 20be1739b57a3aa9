using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>What a fitted folder says of its labels: config.json as Hugging Face has it for classifiers, and r1-series.json.</summary>
internal static class LabelConfig
{
    private static readonly JsonSerializerOptions Form = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="config">What else it says.</param>
    /// <param name="columns">What the numbers are called, in the order of the input; may be empty.</param>
    public static void Write(string path, JsonObject config, IReadOnlyList<string> labels, IReadOnlyList<string> columns)
    {
        config["id2label"] = new JsonObject(labels.Select((label, i) => KeyValuePair.Create($"{i}", (JsonNode?)label)));
        config["label2id"] = new JsonObject(labels.Select((label, i) => KeyValuePair.Create(label, (JsonNode?)i)));
        config["problem_type"] = "single_label_classification";
        if (columns.Count > 0) config["columns"] = new JsonArray([.. columns.Select(column => (JsonNode?)column)]);
        File.WriteAllText(path, config.ToJsonString(Form));
    }

    /// <summary>r1-series.json, by which events are asked about one by one.</summary>
    /// <param name="input">Takes the windows.</param>
    /// <param name="scored">The number of the label whose probability is the score.</param>
    public static void WriteSeries(string path, string input, IReadOnlyList<string> labels, int scored)
    {
        JsonObject series = new()
        {
            ["window"] = new JsonObject { ["input"] = input },
            ["score"] = new JsonObject { ["output"] = HeadGraph.Probabilities, ["index"] = scored },
            ["labels"] = new JsonArray([.. labels.Select(label => (JsonNode?)label)]),
        };
        File.WriteAllText(path, series.ToJsonString(Form));
    }
}
