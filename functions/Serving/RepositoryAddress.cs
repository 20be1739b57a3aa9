using System.Security.Cryptography;
using System.Text;
using R1Serverless.Azure.Storage;
using R1Serverless.ModelRegistry;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.Serving;

/// <summary>Where a shared repository is: a folder, a blob container, or a connection string, whose container is <see cref="DefaultContainer"/>. A
/// class, so that nothing prints a connection string by the way.</summary>
public sealed class RepositoryAddress
{
    /// <summary>Holds an address, where no option does.</summary>
    public const string Variable = "R1_MODELS";

    /// <summary>The container where only the account is known.</summary>
    public const string DefaultContainer = "models";

    private const int KeyDigits = 32;

    private readonly string? _folder;
    private readonly StorageOptions? _blobs;

    private RepositoryAddress(string? folder, StorageOptions? blobs, string description) =>
        (_folder, _blobs, Description) = (folder, blobs, description);

    /// <summary>Without secrets.</summary>
    public string Description { get; }

    /// <summary>Tells this repository from any other on this machine's disk, whichever key it is used with.</summary>
    public string Key
    {
        get
        {
            var place = _blobs?.ConnectionString is { } connection
                ? string.Join(';', connection.Split(';').Where(part => !IsSecret(part)).Order(StringComparer.Ordinal).Append(_blobs.Container))
                : Description;
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(place)))[..KeyDigits];
        }
    }

    /// <param name="text">A folder, <c>https://ACCOUNT.blob.core.windows.net/CONTAINER</c>, or a connection string.</param>
    /// <exception cref="TransportException">It is none of these; the message says what is wrong, without a secret.</exception>
    public static RepositoryAddress Parse(string text)
    {
        if (text.StartsWith("https://", StringComparison.OrdinalIgnoreCase)) return OfContainer(text);
        if (text.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
            throw Wrong("a container's address begins with https://; Azurite takes a connection string");
        // As every connection string has, and no usual folder.
        if (text.Contains('=', StringComparison.Ordinal)
            && (text.Contains(';', StringComparison.Ordinal) || text.StartsWith("UseDevelopmentStorage=", StringComparison.OrdinalIgnoreCase)))
            return new RepositoryAddress(null, new StorageOptions { ConnectionString = text, Container = DefaultContainer },
                $"the container '{DefaultContainer}' of the connection string");
        var folder = Path.GetFullPath(text);
        return new RepositoryAddress(folder, null, folder);
    }

    /// <summary>For reading: nothing is created.</summary>
    /// <exception cref="TransportException">The container or the folder is not there, can't be reached, or may not be read; the message says what to
    /// do.</exception>
    public async Task<SharedRepository> OpenAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        var store = ForReading(time);
        if (_folder is not null) RequireModels();
        if (store is BlobStore blobs && !await blobs.IsThereAsync(cancellationToken))
            throw new TransportException(
                $"There is nothing at {Description} yet: `r1 model push NAME --activate` makes the container and puts a model into it.",
                isPermanent: true);
        return new SharedRepository(store, Description);
    }

    /// <summary>For reading once it can be reached: nothing is asked of it.</summary>
    public SharedRepository Await(TimeProvider time) => new(ForReading(time), Description);

    /// <summary>For writing: folder or container are created if they are missing.</summary>
    /// <exception cref="TransportException">They can't be reached, or may not be written; the message says what to do.</exception>
    public async Task<SharedRepository> CreateAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        if (_blobs is not null)
        {
            BlobStore blobs = new(Writing(_blobs));
            await blobs.OpenAsync(cancellationToken);
            return new SharedRepository(blobs, Description);
        }

        FileObjectStore files = new(_folder!, time, time);
        StoreFault.Guard(Description, () =>
        {
            files.Open();
            return true;
        });
        return new SharedRepository(files, Description);
    }

    private static RepositoryAddress OfContainer(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Segments is not [_, var container])
            throw Wrong("its address has the form https://ACCOUNT.blob.core.windows.net/CONTAINER");
        if (url.UserInfo.Length > 0) throw Wrong("a container's address names no user");
        if (url.Query.Length > 0)
            throw Wrong($"a signature in the address is not taken; put it into a connection string in {Variable}, or use this process's identity");
        return new RepositoryAddress(null,
            new StorageOptions { Account = url.GetLeftPart(UriPartial.Authority), Container = container.TrimEnd('/') },
            url.GetLeftPart(UriPartial.Path));
    }

    private static bool IsSecret(string part) =>
        part.StartsWith("AccountKey=", StringComparison.OrdinalIgnoreCase)
            || part.StartsWith("SharedAccessSignature=", StringComparison.OrdinalIgnoreCase);

    private static TransportException Wrong(string what) => new($"The repository of models can't be used: {what}.", isPermanent: true);

    /// <summary>What faults of the service say to who only reads, and creates nothing.</summary>
    internal static StorageOptions Reading(StorageOptions options) =>
        options with
        {
            BlobRole = StorageOptions.BlobReader,
            ContainerCreated = "`r1 model push NAME --activate` makes it again and puts a model into it"
        };

    internal static StorageOptions Writing(StorageOptions options) => options with { ContainerCreated = "`r1 model push` makes it again" };

    private IObjectStore ForReading(TimeProvider time) =>
        _blobs is not null ? new BlobStore(Reading(_blobs)) : new FileObjectStore(_folder!, time, time) { OnMissing = RequireModels };

    /// <summary>A share that is not mounted is an empty folder, or none: then objects aren't missing, but the repository can't be reached.</summary>
    private void RequireModels()
    {
        if (!Directory.Exists(Path.Combine(_folder!, SharedRepository.Root)))
            throw new TransportException(
                $"There is nothing at {_folder}: where it is a share, it is not mounted; else `r1 model push NAME --activate` puts a model there.");
    }
}
