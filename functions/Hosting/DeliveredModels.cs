using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using R1Serverless.Delivery;
using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>The models that a process serves from a repository: their active versions on this machine's disk, and any folders of its own that were named beside them.</summary>
internal sealed class DeliveredModels : IDisposable
{
    private readonly ModelDelivery _delivery;
    private readonly StartRules _rules;
    private readonly Action<string> _warn;
    private readonly List<DeliveredModel> _models = [];
    private readonly List<ModelFolder> _folders = [];

    /// <summary>Why nothing can be asked of the repository; null where it can.</summary>
    private Exception? _away;

    private DeliveredModels(ModelDelivery delivery, StartRules rules, Action<string> warn) => (_delivery, _rules, _warn) = (delivery, rules, warn);

    /// <summary>In the order in which they were named.</summary>
    public IReadOnlyList<ModelFolder> Folders => _folders;

    /// <summary>The models that come from the repository.</summary>
    public IReadOnlyList<string> Names => [.. _models.Select(model => model.Name)];

    /// <summary>Fetches what is not here yet. While the repository is away, what was served here last is taken from the cache.</summary>
    /// <exception cref="TransportException">The repository can't be reached, and the cache does not help.</exception>
    /// <exception cref="InvalidModelException">No version of a model can be used, neither the active one nor those that were active before it.</exception>
    /// <exception cref="Runtime.ModelLoadException">Nothing is active, of a model that was named or at all.</exception>
    public static async Task<DeliveredModels> OpenAsync(StartRules rules, RepositoryAddress from, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ServeOptions options = rules.Options;
        ModelCache cache = new(DataFolder.Cache(options.DataFolder), options.ModelCacheBytes, TimeProvider.System);
        LastServed served = cache.LastServed(from);
        Exception? away = null;
        SharedRepository repository = from.Await(TimeProvider.System);
        try
        {
            await from.OpenAsync(TimeProvider.System, cancellationToken);
        }
        catch (TransportException fault) when (served.Models.Count > 0)
        {
            away = fault;
        }

        DeliveredModels models = new(new ModelDelivery(repository, cache, served, progress, TimeProvider.System), rules, StartupReport.Warning(progress)) { _away = away };
        try
        {
            foreach (string named in options.Models.Count > 0 ? options.Models : await models.NamesAsync(cancellationToken)) await models.AddAsync(named, cancellationToken);
            return models;
        }
        catch
        {
            models.Dispose();
            throw;
        }
    }

    /// <summary>What keeps the host's models at their active versions, once it is started.</summary>
    public ModelUpdates Watch(ModelHost host, IProgress<string> progress)
    {
        ModelUpdates updates = new(_delivery, _models, host, _rules.Usual, _rules.Options.ModelsPoll, progress, TimeProvider.System);
        updates.TellRefused();
        return updates;
    }

    public void Dispose()
    {
        foreach (DeliveredModel model in _models) model.Dispose();
    }

    private async Task<IReadOnlyList<string>> NamesAsync(CancellationToken cancellationToken)
    {
        try
        {
            return _away is null ? await _delivery.NamesAsync(cancellationToken) : _delivery.KnownNames;
        }
        catch (TransportException fault) when (_delivery.KnownNames is { Count: > 0 } known)
        {
            _away = fault;
            return known;
        }
    }

    private async Task AddAsync(string named, CancellationToken cancellationToken)
    {
        if (LocalModels.IsFolder(named))
        {
            _folders.Add(ModelFolder.Open(named));
            return;
        }

        DeliveredModel model;
        VersionLine? line = null;
        try
        {
            if (_away is not null) ExceptionDispatchInfo.Throw(_away);
            (line, string tag) = await _delivery.FindLineAsync(named, _rules, cancellationToken);
            DeliveredVersion version = await line.OpenAsync(cancellationToken);
            model = new DeliveredModel(named, version, line, tag);
        }
        catch (Exception fault) when (fault is TransportException || (fault is InvalidModelException && line is null))
        {
            if (await FindKnownAsync(named, fault.Message, cancellationToken) is not { } known) throw;
            model = known;
        }

        _models.Add(model);
        _folders.Add(model.Serving.Folder);
    }

    /// <summary>What was served here last, if it is still here and may be served.</summary>
    private async Task<DeliveredModel?> FindKnownAsync(string named, string why, CancellationToken cancellationToken)
    {
        if (await _delivery.FindKnownAsync(named, cancellationToken) is not { } version) return null;
        VersionChoice choice = _rules.Choose(named, [new MeasuredVersion(version.Version, version.Pushed, version.Folder.Manifest.Variants)]);
        if ((choice.Refused is [var refused] ? refused.Reason : _rules.Misfit(named, version.Folder.Manifest.Variants)) is { } reason)
        {
            version.Dispose();
            _warn($"{named} {version.Version} is in the cache, but can't be served: {reason}");
            return null;
        }

        _warn($"{why} {named} {version.Version}, which was served here last, is served from the cache meanwhile.");
        return new DeliveredModel(named, version, new VersionLine(_delivery, named, [version.Version], ImmutableHashSet<string>.Empty, _rules), DeliveredModel.NoTag);
    }
}
