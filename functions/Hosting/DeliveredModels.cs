using R1Serverless.Delivery;
using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>The models that a process serves from a repository: their active versions on this machine's disk, and any folders of its own that were named beside them.</summary>
internal sealed class DeliveredModels : IDisposable
{
    private readonly ModelDelivery _delivery;
    private readonly List<DeliveredModel> _models = [];
    private readonly List<ModelFolder> _folders = [];

    private DeliveredModels(ModelDelivery delivery) => _delivery = delivery;

    /// <summary>In the order in which they were named.</summary>
    public IReadOnlyList<ModelFolder> Folders => _folders;

    /// <summary>Fetches what is not here yet.</summary>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="InvalidModelException">A model can't be used, nor the version of it that was active before.</exception>
    /// <exception cref="Runtime.ModelLoadException">Nothing is active, of a model that was named or at all.</exception>
    /// <exception cref="IOException">There is no room on the disk.</exception>
    public static async Task<DeliveredModels> OpenAsync(ServeOptions options, RepositoryAddress from, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ModelCache cache = new(DataFolder.Cache(options.DataFolder), options.ModelCacheBytes, TimeProvider.System);
        DeliveredModels models = new(new ModelDelivery(await from.OpenAsync(TimeProvider.System, cancellationToken), cache, progress, TimeProvider.System));
        try
        {
            foreach (string named in options.Models.Count > 0 ? options.Models : await models._delivery.NamesAsync(cancellationToken)) await models.AddAsync(named, cancellationToken);
            return models;
        }
        catch
        {
            models.Dispose();
            throw;
        }
    }

    /// <summary>What keeps the host's models at their active versions, once it is started.</summary>
    public ModelUpdates Watch(ModelHost host, ServeOptions options, IProgress<string> progress) =>
        new(_delivery, _models, host, new PrecisionWish(options.Precision) { IsServerDefault = true }, options.ModelsPoll, progress, TimeProvider.System);

    public void Dispose()
    {
        foreach (DeliveredModel model in _models) model.Dispose();
    }

    private async Task AddAsync(string named, CancellationToken cancellationToken)
    {
        if (LocalModels.IsFolder(named))
        {
            _folders.Add(ModelFolder.Open(named));
            return;
        }

        var (version, tag, failed) = await _delivery.OpenActiveAsync(named, cancellationToken);
        _models.Add(new DeliveredModel(named, version, tag, failed is { } one ? new ServedVersion(one.Version, VersionState.Failed, one.Reason) : null));
        _folders.Add(version.Folder);
    }
}
