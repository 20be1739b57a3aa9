using R1Serverless.ModelRegistry;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>A repository in a folder, a cache, and folders of files to push; all of it goes at the end.</summary>
internal sealed class DeliveryWorld : IDisposable
{
    public const string Model = "m";

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-delivery-").FullName;
    private readonly FileObjectStore _files;

    public DeliveryWorld()
    {
        _files = new FileObjectStore(Path.Combine(_folder, "repository"), TimeProvider.System, TimeProvider.System);
        _files.Open();
        Store = new WatchedStore(_files);
        Repository = new SharedRepository(Store, "the repository");
    }

    public WatchedStore Store { get; }

    public SharedRepository Repository { get; }

    public string RepositoryFolder => Path.Combine(_folder, "repository");

    public string CacheFolder => Path.Combine(_folder, "cache");

    public ModelCache Cache(long budget = 1L << 40) => new(CacheFolder, budget, TimeProvider.System);

    /// <summary>Pushes files of random bytes, told apart by their seeds: the same seed and size, the same content.</summary>
    public Task<VersionManifest> PushAsync(string version, params (string Path, int Seed, int Bytes)[] files) =>
        PushAsync(Repository, version, files);

    public async Task<VersionManifest> PushAsync(SharedRepository repository, string version, params (string Path, int Seed, int Bytes)[] files)
    {
        var source = Directory.CreateTempSubdirectory("r1-delivery-source-").FullName;
        try
        {
            foreach (var (path, seed, bytes) in files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(source, path))!);
                await File.WriteAllBytesAsync(Path.Combine(source, path), Content(seed, bytes));
            }

            return await new VersionPush(repository, TimeProvider.System).RunAsync(Model, source, version, "tester", progress: null,
                CancellationToken.None);
        }
        finally
        {
            Directory.Delete(source, recursive: true);
        }
    }

    public static byte[] Content(int seed, int bytes)
    {
        var content = new byte[bytes];
        new Random(seed).NextBytes(content);
        return content;
    }

    public async Task<CachedVersion> FetchAsync(string version, ModelCache? cache = null, SharedRepository? repository = null)
    {
        repository ??= Repository;
        return await (cache ?? Cache()).OpenAsync(repository, (await repository.FindAsync(Model, version, CancellationToken.None))!.Value,
            progress: null, CancellationToken.None);
    }

    /// <summary>A push that finds no version, and another that becomes it before the first has written anything. It is refused, and what was pushed
    /// stays as it is.</summary>
    public async Task AssertOneOfTwoPushesAsync(IObjectStore inner)
    {
        WatchedStore store = new(inner);
        SharedRepository repository = new(store, "the repository");
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously),
            ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var puts = 0;
        store.BeforePut = async () =>
        {
            if (Interlocked.Increment(ref puts) != 1) return;
            begun.SetResult();
            await ended.Task;
        };
        var late = PushAsync(repository, "1", ("weights.bin", 2, 3000), ("config.json", 3, 100));
        await begun.Task;
        var first = await PushAsync(repository, "1", ("weights.bin", 1, 3000), ("config.json", 1, 100));
        ended.SetResult();

        var refused = await Assert.ThrowsAsync<InvalidDataException>(() => late);

        Assert.Contains("at the same time", refused.Message, StringComparison.Ordinal);
        using var fetched = await FetchAsync("1", repository: repository);
        Assert.Equal(Content(1, 3000), await File.ReadAllBytesAsync(Path.Combine(fetched.Path, "weights.bin")));
        List<string> names = [];
        await foreach (var entry in store.ListAsync("models/", CancellationToken.None)) names.Add(entry.Name);
        Assert.Equal(["config.json", VersionManifest.FileName, "weights.bin"], names.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(first.Files.Count + 1, names.Count);
    }

    /// <summary>Where the file of a version lies in the repository.</summary>
    public string InRepository(string version, string path)
    {
        string folder = Path.Combine(RepositoryFolder, "models", Model, "versions", version),
            manifest = Path.Combine(folder, VersionManifest.FileName);
        return Path.Combine(folder, VersionManifest.Read(File.ReadAllBytes(manifest), manifest).Folder!, path);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

/// <summary>Notes what is read in parts, and lets a test come between.</summary>
internal sealed class WatchedStore(IObjectStore inner) : IObjectStore
{
    private readonly Lock _gate = new();
    private readonly List<(string Name, long Offset)> _reads = [];

    /// <summary>What to do instead of a read, or just before it where it gives false.</summary>
    public Func<string, long, Memory<byte>, ValueTask<bool>>? Before { get; set; }

    /// <summary>What a read waits for, until it is given up.</summary>
    public Func<string, CancellationToken, Task>? Held { get; set; }

    /// <summary>Called before a file is written.</summary>
    public Func<ValueTask> BeforePut { get; set; } = () => ValueTask.CompletedTask;

    /// <summary>Called before a look for changes.</summary>
    public Action BeforeLook { get; set; } = () => { };

    public IReadOnlyList<(string Name, long Offset)> Reads
    {
        get
        {
            lock (_gate) return [.. _reads];
        }
    }

    public async ValueTask<int?> ReadAsync(string name, string tag, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        lock (_gate) _reads.Add((name, offset));
        if (Held is { } held) await held(name, cancellationToken);
        if (Before is { } before && await before(name, offset, into)) return into.Length;
        return await inner.ReadAsync(name, tag, offset, into, cancellationToken);
    }

    public ValueTask<ObjectHead?> FindAsync(string name, CancellationToken cancellationToken) => inner.FindAsync(name, cancellationToken);

    public ValueTask<ObjectChange> GetIfChangedAsync(string name, string knownTag, CancellationToken cancellationToken)
    {
        BeforeLook();
        return inner.GetIfChangedAsync(name, knownTag, cancellationToken);
    }

    public ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken) =>
        inner.PutAsync(name, content, condition, cancellationToken);

    public async ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        await BeforePut();
        await inner.PutAsync(name, content, cancellationToken);
    }

    public ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken) => inner.GetAsync(name, cancellationToken);

    public ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken) => inner.OpenAsync(name, cancellationToken);

    public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken) => inner.ExistsAsync(name, cancellationToken);

    public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken) => inner.DeleteAsync(name, cancellationToken);

    public IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, CancellationToken cancellationToken) => inner.ListAsync(prefix, cancellationToken);
}
