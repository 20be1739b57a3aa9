using System.Runtime.ExceptionServices;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Storage;

namespace R1Serverless.ModelRegistry.Updates;

/// <summary>The models that a process serves from a repository, and any folders of this machine that were named beside them.</summary>
public sealed class DeliveredModels : IDisposable
{
    private readonly VersionDelivery _delivery;
    private readonly StartRules _rules;
    private readonly List<DeliveredModel> _models = [];
    private readonly List<ModelFolder> _folders = [];

    /// <summary>Why nothing can be asked of the repository; null where it can.</summary>
    private Exception? _away;

    private DeliveredModels(VersionDelivery delivery, StartRules rules) => (_delivery, _rules) = (delivery, rules);

    /// <summary>In the order in which they were named.</summary>
    public IReadOnlyList<ModelFolder> Folders => _folders;

    /// <summary>The models that come from the repository.</summary>
    public IReadOnlyList<string> Names => [.. _models.Select(model => model.Name)];

    /// <summary>Takes the active version of each model; where that can't be fetched or accepted, the one that this machine served last.</summary>
    /// <param name="named">None for all that have an active version.</param>
    /// <param name="findLocal">Gives the folder where a name stands for one of this machine; else null.</param>
    /// <exception cref="TransportException">The repository can't be reached, and the cache does not help.</exception>
    /// <exception cref="InvalidModelException">The active version can't be served, and the one that was served last is not to be had.</exception>
    /// <exception cref="ModelLoadException">Nothing is active, of a model that was named or at all.</exception>
    public static async Task<DeliveredModels> OpenAsync(
        VersionDelivery delivery,
        IReadOnlyList<string> named,
        Func<string, ModelFolder?> findLocal,
        StartRules rules,
        CancellationToken cancellationToken)
    {
        DeliveredModels models = new(delivery, rules);
        try
        {
            foreach (var name in named.Count > 0 ? named : await models.NamesAsync(cancellationToken))
            {
                if (findLocal(name) is { } folder)
                {
                    models._folders.Add(folder);
                    continue;
                }

                var model = await models.OpenAsync(name, cancellationToken);
                models._models.Add(model);
                models._folders.Add(model.Serving.Folder);
            }

            return models;
        }
        catch
        {
            models.Dispose();
            throw;
        }
    }

    /// <summary>What keeps the host's models at their active versions, once it is started.</summary>
    /// <param name="interval">Between two looks at what is active.</param>
    public ModelUpdates Watch(ModelHost host, TimeSpan interval, IProgress<string> progress) =>
        new(_delivery, _models, host, _rules, interval, progress);

    internal IReadOnlyList<DeliveredModel> Models => _models;

    public void Dispose()
    {
        foreach (var model in _models) model.Dispose();
    }

    private async Task<IReadOnlyList<string>> NamesAsync(CancellationToken cancellationToken)
    {
        var repository = _delivery.Repository;
        try
        {
            string[] names = [.. (await repository.ListAsync(cancellationToken)).Where(one => one.HasActive).Select(one => one.Model)];
            return names.Length > 0 ? names
                : throw new ModelLoadException(
                    $"no model in {repository.Description} has an active version: `r1 model push NAME --to REPO --activate` gives it one");
        }
        catch (TransportException fault) when (_delivery.Served.Models is { Count: > 0 } known)
        {
            _away = fault;
            return known;
        }
    }

    private async Task<DeliveredModel> OpenAsync(string model, CancellationToken cancellationToken)
    {
        ActiveVersion? active = null;
        var tag = DeliveredModel.NoTag;
        try
        {
            if (_away is not null) ExceptionDispatchInfo.Throw(_away);
            (active, tag) = await _delivery.Repository.FindActiveAsync(model, cancellationToken) ?? throw new ModelLoadException(
                $"no version of '{model}' is active in {_delivery.Repository.Description}; `r1 model list --from` shows what there is");
            return new DeliveredModel(model, await OpenAsync(model, active, cancellationToken), tag);
        }
        catch (Exception fault) when (fault is TransportException or InvalidModelException or IOException or UnauthorizedAccessException)
        {
            if (fault is TransportException) _away = fault;
            if (await FindLastServedAsync(model, fault is TransportException ? null : active?.Version, cancellationToken) is not { } last)
            {
                if (active is null || fault is not InvalidModelException) throw;
                throw new InvalidModelException(
                    $"{model} {active.Version} can't be served, and no other version was served on this machine before: {fault.Message}", fault);
            }

            var reason = active is null ? fault.Message : $"{model} {active.Version} is not served: {fault.Message}";
            _rules.Limits.Warn?.Invoke(
                $"{reason.TrimEnd('.')}. {model} {last.Version}, which was served here last, is served from the cache meanwhile.");
            if (active is null || fault is TransportException) return new DeliveredModel(model, last, DeliveredModel.NoTag);
            // A full disk may have room at the next look.
            return new DeliveredModel(model, last, fault is InvalidModelException ? tag : DeliveredModel.NoTag)
            {
                Tried = tag, Candidate = new ServedVersion(active.Version, VersionState.Failed, fault.Message),
            };
        }
    }

    private async Task<DeliveredVersion> OpenAsync(string model, ActiveVersion active, CancellationToken cancellationToken)
    {
        var next = await _delivery.OpenAsync(model, active.Version, cancellationToken);
        using var last = _delivery.Served.Find(model)?.Key == next.Key ? null : await _delivery.FindLastServedAsync(model, cancellationToken);
        var isForward = next.Pushed > last?.Pushed && !active.LessAccurate;
        if (_rules.Refusal(model, next.Folder.Manifest.Variants, last?.Folder.Manifest.Variants ?? [], isForward) is not { } refusal) return next;
        next.Dispose();
        throw new InvalidModelException(refusal);
    }

    /// <summary>Null where it is not in the cache any more, is the one that was refused, or may not be served either.</summary>
    private async Task<DeliveredVersion?> FindLastServedAsync(string model, string? refused, CancellationToken cancellationToken)
    {
        if (await _delivery.FindLastServedAsync(model, cancellationToken) is not { } last) return null;
        if (last.Version != refused && _rules.Refusal(model, last.Folder.Manifest.Variants, [], isForward: false) is null) return last;
        last.Dispose();
        return null;
    }
}
