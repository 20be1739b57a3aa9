using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using R1Serverless.Models;

namespace R1Serverless.Api.OpenAI;

/// <summary>From bytes to a JSON document whose every string can be read, or the fault that names the place.</summary>
internal static class RequestBody
{
    /// <summary>Arrays and objects inside each other; the deepest field of the API needs five.</summary>
    public const int MaxDepth = 32;

    private static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = MaxDepth };
    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxDepth };

    /// <summary>Returns the document (the caller disposes it), or null with the fault noted.</summary>
    /// <param name="isStrict">Whether a field that comes twice is refused; else the last one counts, as OpenAI's servers have it.</param>
    public static JsonDocument? Parse(ReadOnlyMemory<byte> body, ValidationResult faults, bool isStrict = false)
    {
        // Editors of Windows write a mark before the text (RFC 8259, section 8.1, allows to ignore it).
        if (body.Span.StartsWith(Encoding.UTF8.Preamble)) body = body[Encoding.UTF8.Preamble.Length..];
        if (!Utf8.IsValid(body.Span))
        {
            faults.Add(null, "The body must be JSON in UTF-8.", "invalid_json");
            return null;
        }

        try
        {
            if (JsonText.HasBrokenEscape(body.Span, ReaderOptions))
            {
                faults.Add(null, "The body has a \\u escape that is half of a surrogate pair.", "invalid_json");
                return null;
            }

            var document = JsonDocument.Parse(body, DocumentOptions);
            var isObject = document.RootElement.ValueKind == JsonValueKind.Object;
            var twice = isStrict && isObject ? JsonText.RepeatedField(document.RootElement) : null;
            if (isObject && twice is null) return document;
            document.Dispose();
            faults.Add(twice, isObject ? $"The body has '{twice}' twice." : "The body must be a JSON object.", "invalid_json");
        }
        catch (JsonException fault)
        {
            var place = fault is { LineNumber: { } line, BytePositionInLine: { } at } ? $" at line {line + 1}, byte {at + 1}" : "";
            faults.Add(null, $"The body is not valid JSON (or nested deeper than {MaxDepth}){place}.", "invalid_json");
        }

        return null;
    }
}
