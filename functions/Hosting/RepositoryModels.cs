using R1Serverless.Delivery;
using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Queues;
using R1Serverless.Requests;
using R1Serverless.Runtime;

namespace R1Serverless.Hosting;

/// <summary>As <see cref="LocalModels"/>, over the active versions of a repository, which may change while they are served.</summary>
internal static class RepositoryModels
{
    public static async Task<LoadedModels> LoadAsync(ServeOptions options, RepositoryAddress from, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ModelCache cache = new(DataFolder.Cache(options.DataFolder), options.ModelCacheBytes, TimeProvider.System);
        ModelDelivery delivery = new(from.Open(TimeProvider.System), cache, progress, TimeProvider.System);
        List<DeliveredModel> delivered = [];
        ModelHost? host = null;
        try
        {
            List<ModelFolder> folders = [];
            foreach (string named in options.Models.Count > 0 ? options.Models : await delivery.NamesAsync(cancellationToken))
            {
                if (LocalModels.IsFolder(named))
                {
                    folders.Add(ModelFolder.Open(named));
                    continue;
                }

                var (version, tag, failed) = await delivery.OpenActiveAsync(named, cancellationToken);
                delivered.Add(new DeliveredModel(named, version, tag, failed is { } one ? new ServedVersion(one.Version, VersionState.Failed, one.Reason) : null));
                folders.Add(version.Folder);
            }

            var first = PreloadNames.Read(options, folders);
            host = LocalModels.Host(folders, options, progress);
            PrecisionWish usual = new(options.Precision) { IsServerDefault = true };
            ModelUpdates updates = new(delivery, delivered, host, usual, options.ModelsPoll, progress, TimeProvider.System);
            foreach (var (model, wish) in first) await LoadAsync(host, updates, model, wish, cancellationToken);
            ExecutionProvider device = host.Status.Select(one => one.Loaded).OfType<LoadedVariant>().First().Provider;
            updates.Start();
            ModelHost loaded = host;
            return new LoadedModels(
                new DeliveredInference(new LocalInference(loaded), updates, delivered), () => LocalModels.Describe(loaded, device, updates.Versions), () => LocalModels.Load(loaded));
        }
        catch
        {
            if (host is not null) await host.DisposeAsync();
            foreach (DeliveredModel model in delivered) model.Dispose();
            throw;
        }
    }

    /// <summary>An active version that does not even load leaves the place to the one before it, if there was one.</summary>
    private static async Task LoadAsync(ModelHost host, ModelUpdates updates, string model, PrecisionWish wish, CancellationToken cancellationToken)
    {
        try
        {
            await host.LoadAsync(model, wish, cancellationToken);
        }
        catch (Exception fault) when (fault is InvalidModelException or ModelLoadException)
        {
            if (!await updates.TryGoBackAsync(model, fault.Message, cancellationToken)) throw;
        }
    }
}
