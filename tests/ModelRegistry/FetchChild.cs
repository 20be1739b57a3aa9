using R1Serverless.ModelRegistry;
using R1Serverless.Storage.Files;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>A process that fetches a version, and says each range that it asks the repository for, in a line, before it asks; and "fetched" at the
/// end. It asks for one range per line that it is given, and freely once its input has ended.</summary>
internal static class FetchChild
{
    public const string Command = "--fetch-child";

    private static readonly Lock Out = new();

    public static async Task<int> RunAsync(string repositoryFolder, string cacheFolder, string version)
    {
        WatchedStore store = new(new FileObjectStore(repositoryFolder, TimeProvider.System, TimeProvider.System))
        {
            Before = (name, offset, _) =>
            {
                lock (Out)
                {
                    Console.In.ReadLine();
                    Console.Out.Write($"read {offset / VersionFetch.RangeBytes} {Path.GetFileName(name)}\n");
                }

                return ValueTask.FromResult(false);
            },
        };
        SharedRepository repository = new(store, "the repository");
        var found = await repository.FindAsync(DeliveryWorld.Model, version, CancellationToken.None);
        using var fetched =
            await new ModelCache(cacheFolder, 1L << 40, TimeProvider.System).OpenAsync(repository, found!.Value, progress: null,
                CancellationToken.None);
        Console.WriteLine($"fetched {fetched.Path}");
        return 0;
    }
}
