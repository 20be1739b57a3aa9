using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenInference;

/// <summary>Writes the answer of POST /v2/models/{model}/infer as JSON; outputs that are wanted as binary data follow it in their order.</summary>
internal static class InferAnswerWriter
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <param name="version">Null for a model without versions.</param>
    /// <param name="isPart">Whether the answer stands in another object, which is JSON to the letter: NaN and infinities are strings then.</param>
    public static ArrayBufferWriter<byte> Write(string model, string? version, InferForm form, IReadOnlyList<Tensor> outputs, bool isPart = false)
    {
        ArrayBufferWriter<byte> text = new(256);
        using Utf8JsonWriter json = new(text, Options);
        json.WriteStartObject();
        json.WriteString("model_name"u8, model);
        if (version is not null) json.WriteString("model_version"u8, version);
        if (form.Id is not null) json.WriteString("id"u8, form.Id);
        json.WriteStartArray("outputs"u8);
        foreach (var output in outputs)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, output.Name);
            json.WriteString("datatype"u8, TensorTypes.Name(output.Type));
            json.WriteStartArray("shape"u8);
            foreach (var dimension in output.Shape) json.WriteNumberValue(dimension);
            json.WriteEndArray();
            WriteContent(json, output, !isPart && form.IsBinaryOf(output.Name), isPart);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return text;
    }

    private static void WriteContent(Utf8JsonWriter json, Tensor output, bool isBinary, bool isPart)
    {
        if (isBinary)
        {
            json.WriteStartObject("parameters"u8);
            json.WriteNumber("binary_data_size"u8, output.Data.Length);
            json.WriteEndObject();
            return;
        }

        var isBase64 = output.Type == TensorType.Bytes && !TensorDataWriter.IsText(output.Data.Span);
        if (isBase64)
        {
            json.WriteStartObject("parameters"u8);
            json.WriteString("data_encoding"u8, "base64"u8);
            json.WriteEndObject();
        }

        json.WriteStartArray("data"u8);
        TensorDataWriter.Write(json, output, isBase64, isPart);
        json.WriteEndArray();
    }
}
