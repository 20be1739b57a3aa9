using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Api.Endpoints;

/// <summary>Reads an upload (multipart/form-data with <c>purpose</c>, <c>file</c> and perhaps <c>expires_after[…]</c>, in any order) straight into
/// the store, in bounded memory.</summary>
internal sealed class FileUpload(BatchLimits limits)
{
    // What stands around the file in the body.
    private const int Overhead = 64 << 10;
    private const int LongestText = 64, LongestName = 255;

    /// <summary>The new file, or null with the first fault noted; nothing is left in the store then.</summary>
    public async ValueTask<StoredFile?> ReadAsync(HttpContext context, FileStore files, ValidationResult faults)
    {
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type)
            || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            || HeaderUtilities.RemoveQuotes(type.Boundary) is not { Length: > 0 } boundary)
        {
            faults.Add(ApiError.WithStatus(
                StatusCodes.Status415UnsupportedMediaType, "Send the file as multipart/form-data with the fields 'purpose' and 'file'.",
                "unsupported_media_type"));
            return null;
        }

        if (context.Request.ContentLength > limits.FileBytes + Overhead)
        {
            faults.Add(TooLarge);
            return null;
        }

        var id = files.NewId();
        Upload upload = new();
        var isKept = false;
        try
        {
            await ReadAsync(boundary.ToString(), context.Request.Body, id, files, upload, faults, context.RequestAborted);
            if (faults.First is null && upload.Purpose is null) faults.Add("purpose", "'purpose' is required.", "missing_required_parameter");
            if (faults.First is null && upload.Name is null)
                faults.Add("file", "'file' is required, as a part with a filename.", "missing_required_parameter");
            var lifetime = ExpiryFields.Read(upload.Expiry, faults);
            if (faults.First is not null) return null;
            var file = await files.AddAsync(id, RequestIdentity.OwnerOf(context), upload.Name!, upload.Purpose!, upload.Size, lifetime,
                context.RequestAborted);
            isKept = true;
            return file;
        }
        finally
        {
            if (!isKept && upload.Name is not null) await files.DropContentAsync(id, CancellationToken.None);
        }
    }

    /// <summary>No more of a part than any of the known ones has.</summary>
    private static async Task<string> ReadTextAsync(Stream body, CancellationToken cancellationToken)
    {
        var buffer = new byte[LongestText];
        var read = await body.ReadAtLeastAsync(buffer, LongestText, throwOnEndOfStream: false, cancellationToken);
        return System.Text.Encoding.UTF8.GetString(buffer, 0, read);
    }

    private static ApiError Malformed => ApiError.Invalid("The multipart body is malformed or ends too early.", code: "invalid_multipart");

    private ApiError TooLarge => ApiError.WithStatus(
        StatusCodes.Status413PayloadTooLarge, $"A file may have at most {limits.FileBytes:N0} bytes; split it into several.", "file_too_large");

    private async Task ReadAsync(string boundary, Stream body, string id, FileStore files, Upload upload, ValidationResult faults,
        CancellationToken cancellationToken)
    {
        // Also what stands around the file has an end, however well it was compressed.
        CountedStream whole = new(body, limits.FileBytes + Overhead);
        MultipartReader reader = new(boundary, whole);
        try
        {
            while (faults.First is null && await reader.ReadNextSectionAsync(cancellationToken) is { } section)
            {
                if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition)) continue;
                var name = HeaderUtilities.RemoveQuotes(disposition.Name).Value ?? "";
                switch (name)
                {
                    case "purpose":
                        upload.Purpose = await ReadTextAsync(section.Body, cancellationToken);
                        if (upload.Purpose != FileStore.BatchPurpose)
                            faults.Add("purpose", $"'purpose' must be \"{FileStore.BatchPurpose}\": files are for batches here.");
                        break;
                    case (ExpiryFields.AnchorPart or ExpiryFields.SecondsPart) and { } part:
                        upload.Expiry[part] = await ReadTextAsync(section.Body, cancellationToken);
                        break;
                    case "file" when upload.Name is not null:
                        faults.Add("file", "'file' may be there once.");
                        break;
                    case "file":
                        await StoreAsync(section.Body, disposition, id, files, upload, faults, cancellationToken);
                        break;
                    default:
                        faults.Add(Truncated.Name(name), $"Unknown field '{Truncated.Name(name)}'.", "unknown_parameter");
                        break;
                }
            }
        }
        catch (IOException) when (whole.IsExceeded)
        {
            faults.Add(TooLarge);
        }
        catch (InvalidDataException)
        {
            faults.Add(Malformed);
        }
        catch (IOException) when (!cancellationToken.IsCancellationRequested)
        {
            faults.Add(Malformed);
        }
    }

    private async Task StoreAsync(
        Stream body, ContentDispositionHeaderValue disposition, string id, FileStore files, Upload upload, ValidationResult faults,
        CancellationToken cancellationToken)
    {
        var name = disposition.FileNameStar.Value ?? HeaderUtilities.RemoveQuotes(disposition.FileName).Value ?? "";
        upload.Name = name.Length switch { 0 => "file.jsonl", > LongestName => name[..LongestName], _ => name };
        CountedStream limited = new(body, limits.FileBytes);
        try
        {
            upload.Size = await files.PutContentAsync(id, limited, cancellationToken);
        }
        catch (Exception) when (limited.IsExceeded)
        {
            faults.Add(TooLarge);
        }
    }

    private sealed class Upload
    {
        public string? Purpose { get; set; }

        public string? Name { get; set; }

        public ContentSize Size { get; set; }

        public Dictionary<string, string> Expiry { get; } = new(StringComparer.Ordinal);
    }
}
