using Azure;
using Azure.Storage.Blobs.Models;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>Parts of blobs, and looks for changes.</summary>
public sealed partial class BlobStore
{
    private const int NotModified = 304, Changed = 412, BeyondTheEnd = 416;

    /// <summary>Whether the container is there; creates nothing.</summary>
    /// <exception cref="TransportException">It can't be reached, or may not be read; the message says what to do.</exception>
    public async ValueTask<bool> IsThereAsync(CancellationToken cancellationToken) =>
        await service.CallAsync(() => container.ExistsAsync(cancellationToken), cancellationToken);

    public async ValueTask<ObjectHead?> FindAsync(string name, CancellationToken cancellationToken) =>
        await PropertiesAsync(Blob(name), cancellationToken) is { } found ? new ObjectHead(found.ContentLength, found.ETag.ToString()) : null;

    public async ValueTask<ObjectChange> GetIfChangedAsync(string name, string knownTag, CancellationToken cancellationToken)
    {
        var blob = Blob(name);
        try
        {
            BlobDownloadOptions unlessKnown = new() { Conditions = new BlobRequestConditions { IfNoneMatch = new ETag(knownTag) } };
            var read = await blob.DownloadContentAsync(unlessKnown, cancellationToken);
            // Whether 304 throws is up to the library's version.
            return read.GetRawResponse().Status == NotModified ? default
                : new ObjectChange(true, new StoredObject(read.Value.Content.ToMemory(), read.Value.Details.ETag.ToString()));
        }
        catch (RequestFailedException failed) when (failed.Status == NotModified)
        {
            return default;
        }
        catch (RequestFailedException failed) when (StorageService.IsMissing(failed))
        {
            return new ObjectChange(true, null);
        }
        catch (Exception fault) when (service.Knows(fault, cancellationToken))
        {
            throw service.Explain(fault);
        }
    }

    public async ValueTask<int?> ReadAsync(string name, string tag, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        var blob = Blob(name);
        if (into.IsEmpty) return await FindAsync(name, cancellationToken) is { } found && found.Tag == tag ? 0 : null;
        try
        {
            BlobDownloadOptions part =
                new() { Range = new HttpRange(offset, into.Length), Conditions = new BlobRequestConditions { IfMatch = new ETag(tag) } };
            using BlobDownloadStreamingResult answer = await blob.DownloadStreamingAsync(part, cancellationToken);
            var read = await answer.Content.ReadAtLeastAsync(into, into.Length, throwOnEndOfStream: false, cancellationToken);
            if (read < answer.Details.ContentLength)
                throw new TransportException($"The answer for '{name}' was cut off after {read} of {answer.Details.ContentLength} bytes.");
            return read;
        }
        catch (RequestFailedException failed) when (failed.Status == Changed || StorageService.IsMissing(failed))
        {
            return null;
        }
        catch (RequestFailedException failed) when (failed.Status == BeyondTheEnd)
        {
            return 0;
        }
        catch (IOException fault)
        {
            throw new TransportException($"The answer for '{name}' was cut off: {fault.Message}", fault);
        }
        catch (Exception fault) when (service.Knows(fault, cancellationToken))
        {
            throw service.Explain(fault);
        }
    }
}
