using System.Globalization;
using Microsoft.Net.Http.Headers;
using R1Serverless.Abstractions;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>A call of /classify whose body is the image itself, as @huggingface/inference sends it: its type, or none where the client knows none.
/// What else is to be said stands in the address: <c>model</c> and <c>top_k</c>.</summary>
internal static class ImageBody
{
    private const string Model = "model", Top = "top_k";

    /// <summary>Whether a call's body is an image. Of a web page the origin is checked all the same.</summary>
    public static bool Is(HttpRequest request, CompletionApi api) => api == CompletionApi.Classify
        && (string.IsNullOrEmpty(request.ContentType)
            || MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            && (type.Type.Equals("image", StringComparison.OrdinalIgnoreCase)
                || type.MediaType.Equals("application/octet-stream", StringComparison.OrdinalIgnoreCase)));

    /// <summary>The call, or null with the fault noted.</summary>
    public static async ValueTask<(CompletionCall Call, CallTerms Terms)?> ReadAsync(HttpRequest request, ServingState serving, ServeOptions options,
        ValidationResult faults)
    {
        if (await RequestBytes.ReadTensorsAsync(request, options.MaxBodyBytes, faults) is not { } body) return null;
        if (body.Length == 0) faults.Add(TextForm.Inputs, "The body must be an image, or JSON with the header 'Content-Type: application/json'.");
        var model = request.Query[Model].ToString() is { Length: > 0 } named ? named
            : await UsualModel.FindForImagesAsync(serving, faults, request.HttpContext.RequestAborted);
        if (model is null or { Length: > CompletionCall.LongestModel })
            faults.Add(Model, "'model' must be the id of a served model, in the address: /classify?model=…; GET /v1/models lists them.");
        int? top = null;
        if (request.Query[Top].ToString() is { Length: > 0 } number)
        {
            if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var some) && some > 0) top = some;
            else faults.Add(Top, $"'{Top}' must be a whole number from 1 to {int.MaxValue}.");
        }

        var terms = CallTermsReader.Read(request, CompletionApi.Classify, $"{model} {top}", body, faults);
        var empty = new RequestReader(System.Text.Json.JsonElement.Parse("{}"u8), "", faults);
        var deadline = DeadlineFields.Read(empty, Header(request, DeadlineFields.RequestHeader));
        var precision = PrecisionFields.Read(empty, Header(request, PrecisionFields.RequestHeader), options.Precision);
        if (faults.First is not null) return null;
        InferenceRequest inference = new()
        {
            Id = RequestId.New(), Model = model!, Prompt = new Prompt.Texts(TextTask.Classify, [new TextInput(null, Image: body)]),
            Owner = RequestIdentity.OwnerOf(request.HttpContext), Deadline = deadline, Precision = precision,
        };
        TextForm form = new(TextForm.Inputs) { IsSingle = true, Top = top };
        return (new CompletionCall(CompletionApi.Classify, inference, Stream: false, IncludeUsage: false) { Texts = form }, terms);
    }

    private static string? Header(HttpRequest request, string name) => request.Headers.TryGetValue(name, out var value) ? value.ToString() : null;
}
