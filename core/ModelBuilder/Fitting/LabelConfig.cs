using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>config.json as Hugging Face has it for classifiers.</summary>
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
}
