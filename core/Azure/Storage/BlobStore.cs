using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Azure;
using Azure.Storage;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>Objects as block blobs of one container. Tags are ETags; times are the service's.</summary>
public sealed partial class BlobStore : IObjectStore
{
    /// <summary>What a stream is written and read in. Smaller objects are read into memory; larger ones, which may change or go while they are read,
    /// into a temporary file.</summary>
    private const int BlockBytes = 4 << 20;

    /// <summary>Of the attempt that wrote a blob: tells one's own write, whose answer was lost, from another's.</summary>
    private const string Attempt = "r1attempt";

    // In one call: what two writers write at once is one or the other.
    private static readonly StorageTransferOptions Whole = new() { InitialTransferSize = int.MaxValue };

    private static readonly StorageTransferOptions InBlocks =
        new() { InitialTransferSize = BlockBytes, MaximumTransferSize = BlockBytes, MaximumConcurrency = 2 };

    private readonly BlobContainerClient container;
    private readonly StorageService service;

    /// <exception cref="TransportException">The options can't be used; the message says which.</exception>
    public BlobStore(StorageOptions options)
        : this(new StorageClients(options))
    {
    }

    internal BlobStore(StorageClients clients) => (container, service) = (clients.Container, clients.BlobService);

    /// <summary>Creates the container if it is missing.</summary>
    /// <exception cref="TransportException">It can't be reached, or may not be used; the message says what to do.</exception>
    public ValueTask OpenAsync(CancellationToken cancellationToken) => service.CallAsync(
        async () =>
        {
            // Asked for first, since whoever may only use the container need not be allowed to create it.
            if (!await container.ExistsAsync(cancellationToken)) await container.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
        },
        cancellationToken);

    public async ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken)
    {
        var blob = Blob(name);
        var attempt = Guid.NewGuid().ToString("N");
        BlobUploadOptions options = new()
        {
            Conditions =
                new BlobRequestConditions
                {
                    IfNoneMatch = condition.IfAbsent ? ETag.All : null,
                    IfMatch = condition.IfTag is { } tag ? new ETag(tag) : null
                },
            Metadata = new Dictionary<string, string>(StringComparer.Ordinal) { [Attempt] = attempt },
            TransferOptions = Whole,
        };
        try
        {
            var written = await blob.UploadAsync(BinaryData.FromBytes(content), options, cancellationToken);
            return written.Value.ETag.ToString();
        }
        catch (RequestFailedException failed) when (Unmet(failed))
        {
            return await PropertiesAsync(blob, cancellationToken) is { } found && found.Metadata.TryGetValue(Attempt, out var last)
                && last == attempt ? found.ETag.ToString() : null;
        }
        catch (Exception fault) when (service.Knows(fault, cancellationToken))
        {
            throw service.Explain(fault);
        }
    }

    public async ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        ObjectName.Check(name);
        var blob = container.GetBlockBlobClient(name);
        // The library would name blocks by their place: of two writers of one name, the blob could get blocks of both.
        var writer = Guid.NewGuid().ToString("N");
        List<string> blocks = [];
        var block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            for (var length = BlockBytes; length == BlockBytes;)
            {
                length = await content.ReadAtLeastAsync(block.AsMemory(0, BlockBytes), BlockBytes, throwOnEndOfStream: false, cancellationToken);
                if (length == 0) break;
                blocks.Add(Convert.ToBase64String(
                    Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{writer}{blocks.Count:D6}"))));
                await blob.StageBlockAsync(blocks[^1], new MemoryStream(block, 0, length, writable: false), cancellationToken: cancellationToken);
            }

            await blob.CommitBlockListAsync(blocks, cancellationToken: cancellationToken);
        }
        catch (RequestFailedException failed) when (failed.ErrorCode == BlobErrorCode.InvalidBlockList)
        {
            throw new TransportException($"Another process wrote '{name}' at the same time; its content stands.", failed);
        }
        catch (Exception fault) when (service.Knows(fault, cancellationToken))
        {
            throw service.Explain(fault);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    public async ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        var blob = Blob(name);
        return await FindAsync(() => blob.DownloadContentAsync(cancellationToken), cancellationToken) is { } read
            ? new StoredObject(read.Content.ToMemory(), read.Details.ETag.ToString())
            : null;
    }

    public async ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken)
    {
        var blob = Blob(name);
        while (await PropertiesAsync(blob, cancellationToken) is { } found)
        {
            if (found.ContentLength <= BlockBytes)
            {
                return await GetAsync(name, cancellationToken) is { } whole ? new MemoryStream(whole.Content.ToArray(), writable: false) : null;
            }

            if (await SpoolAsync(blob, found, cancellationToken) is { } file) return file;
        }

        return null;
    }

    public async ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken) =>
        await PropertiesAsync(Blob(name), cancellationToken) is not null;

    public async ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        var blob = Blob(name);
        try
        {
            await blob.DeleteAsync(DeleteSnapshotsOption.IncludeSnapshots, cancellationToken: cancellationToken);
            return true;
        }
        catch (RequestFailedException failed) when (StorageService.IsMissing(failed))
        {
            return false;
        }
        catch (Exception fault) when (service.Knows(fault, cancellationToken))
        {
            throw service.Explain(fault);
        }
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectName.CheckPrefix(prefix);
        await using var pages =
            container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }, cancellationToken).AsPages().GetAsyncEnumerator(cancellationToken);
        while (await service.CallAsync(() => pages.MoveNextAsync().AsTask(), cancellationToken))
        {
            var now = pages.Current.GetRawResponse().Headers.Date;
            foreach (var item in pages.Current.Values)
            {
                var age = now - item.Properties.LastModified ?? TimeSpan.Zero;
                yield return new ObjectEntry(item.Name, item.Properties.ContentLength ?? 0, age < TimeSpan.Zero ? TimeSpan.Zero : age);
            }
        }
    }

    private static bool Unmet(RequestFailedException failed) =>
        failed.Status == 412 || (failed.Status == 409 && failed.ErrorCode == "BlobAlreadyExists") || StorageService.IsMissing(failed);

    private BlobClient Blob(string name)
    {
        ObjectName.Check(name);
        return container.GetBlobClient(name);
    }

    /// <summary>Null if there is no such blob.</summary>
    private ValueTask<BlobProperties?> PropertiesAsync(BlobClient blob, CancellationToken cancellationToken) =>
        FindAsync(() => blob.GetPropertiesAsync(cancellationToken: cancellationToken), cancellationToken);

    /// <summary>Null if there is no such blob.</summary>
    private ValueTask<T?> FindAsync<T>(Func<Task<Response<T>>> call, CancellationToken cancellationToken)
        where T : class => service.CallAsync(
        async () =>
        {
            try
            {
                return (T?)(await call()).Value;
            }
            catch (RequestFailedException failed) when (StorageService.IsMissing(failed))
            {
                return null;
            }
        },
        cancellationToken);

    /// <summary>Null if the blob has changed or gone meanwhile.</summary>
    private async ValueTask<FileStream?> SpoolAsync(BlobClient blob, BlobProperties found, CancellationToken cancellationToken)
    {
        var path = Path.Combine(Path.GetTempPath(), $"r1-{Guid.NewGuid():N}");
        FileStream? file = null;
        try
        {
            file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0,
                Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
            });
            await blob.DownloadToAsync(file,
                new BlobDownloadToOptions { Conditions = new BlobRequestConditions { IfMatch = found.ETag }, TransferOptions = InBlocks },
                cancellationToken);
            file.Position = 0;
            (var whole, file) = (file, null);
            return whole;
        }
        catch (RequestFailedException failed) when (failed.Status == 412 || StorageService.IsMissing(failed))
        {
            return null;
        }
        catch (IOException fault)
        {
            throw new TransportException(
                $"The temporary folder {Path.GetTempPath()} can't take the {found.ContentLength} bytes of '{blob.Name}': {fault.Message}", fault);
        }
        catch (Exception fault) when (service.Knows(fault, cancellationToken))
        {
            throw service.Explain(fault);
        }
        finally
        {
            if (file is not null) await file.DisposeAsync();
        }
    }
}
