using Microsoft.AspNetCore.Http.Features;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>Events of series, one by one: a decision over the last of them for each.</summary>
internal sealed class SeriesEndpoints(CompletionEndpoints completions, ServeOptions options)
{
    public const string Path = "/v1/series";

    /// <summary>POST /v1/series.</summary>
    public Task AnswerAsync(HttpContext context) => completions.AnswerAsync(context, ReadAsync);

    /// <summary>DELETE /v1/series/{key}?model=ID.</summary>
    public Task RemoveAsync(HttpContext context) => completions.AnswerAsync(context, ReadRemovalAsync);

    private async ValueTask<(CompletionCall Call, CallTerms Terms)?> ReadAsync(HttpRequest request, ValidationResult faults)
    {
        if (await RequestBytes.ReadJsonAsync(request, options.MaxBodyBytes, faults) is not { } body) return null;
        InferHeaders headers = new(
            Header(request, PrecisionFields.RequestHeader), Header(request, DeadlineFields.RequestHeader), options.Precision,
            RequestIdentity.OwnerOf(request.HttpContext));
        return Checked(request, SeriesFields.Read(body, headers, faults), body, faults);
    }

    private ValueTask<(CompletionCall Call, CallTerms Terms)?> ReadRemovalAsync(HttpRequest request, ValidationResult faults)
    {
        var key = KeyOf(request);
        var call = SeriesFields.ReadRemoval(key, request.Query["model"], RequestIdentity.OwnerOf(request.HttpContext), faults);
        return ValueTask.FromResult(Checked(request, call, [], faults));
    }

    /// <summary>As the address has it, decoded once: the server decodes all of a route's value but slashes, so that %25 and %2F can't be told
    /// apart in it.</summary>
    private static string KeyOf(HttpRequest request)
    {
        var target = request.HttpContext.Features.Get<IHttpRequestFeature>()?.RawTarget;
        if (string.IsNullOrEmpty(target)) return Uri.UnescapeDataString((string)request.RouteValues["key"]!);
        var path = target.Split('?')[0];
        return Uri.UnescapeDataString(path[(path.LastIndexOf('/') + 1)..]);
    }

    /// <summary>What is told to come back for the answer would go through the queue, to any worker and out of its order.</summary>
    private (CompletionCall Call, CallTerms Terms)? Checked(HttpRequest request, CompletionCall? call, ReadOnlySpan<byte> body,
        ValidationResult faults)
    {
        if (call is null) return null;
        var terms = CallTermsReader.Read(request, CompletionApi.Series, null, body, faults);
        if (terms.IsAsync)
            faults.Add("Prefer", "Events of a series are answered at once: leave 'Prefer: respond-async' out.", "unsupported_parameter");
        if (terms.Key is not null)
            faults.Add(CallTermsReader.KeyHeader,
                $"A series needs no {CallTermsReader.KeyHeader}: the same events with the same 'sequence' are taken once.", "unsupported_parameter");
        if (options.Role == ServeRole.Gateway && SeriesFields.Refusal(call.Request) is { } refusal)
            faults.Add(ApiError.From(refusal, SeriesFields.Values, call.Request.Id.Value));
        return faults.First is null ? (call, terms) : null;
    }

    private static string? Header(HttpRequest request, string name) => request.Headers.TryGetValue(name, out var value) ? value.ToString() : null;
}
