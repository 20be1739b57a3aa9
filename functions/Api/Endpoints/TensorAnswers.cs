using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Api.OpenInference;

namespace R1Serverless.Api.Endpoints;

/// <summary>Writes an answer of the Open Inference Protocol: JSON, and behind it the outputs that are wanted as binary data.</summary>
internal static class TensorAnswers
{
    /// <summary>How many bytes of the body are JSON, where more follow; in requests and answers.</summary>
    public const string JsonLengthHeader = "Inference-Header-Content-Length";

    /// <param name="result">Finished.</param>
    public static async Task WriteAsync(HttpContext context, CompletionCall call, AnswerHead head, InferenceResult result)
    {
        var form = call.Infer ?? InferForm.Plain;
        var text = AnswerWriter.Tensors(result, head with { Infer = form }).WrittenMemory;
        ReadOnlyMemory<byte>[] parts =
            [.. InferFields.Outputs(result).Where(output => form.IsBinaryOf(output.Name)).Select(output => output.Data)];
        var response = context.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = parts is [] ? "application/json" : "application/octet-stream";
        if (parts is not []) response.Headers[JsonLengthHeader] = text.Length.ToString(CultureInfo.InvariantCulture);
        response.ContentLength = text.Length + parts.Sum(part => (long)part.Length);
        await response.Body.WriteAsync(text, context.RequestAborted);
        foreach (var part in parts) await response.Body.WriteAsync(part, context.RequestAborted);
    }
}
