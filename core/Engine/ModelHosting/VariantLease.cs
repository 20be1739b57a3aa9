using R1Serverless.Abstractions;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>A request's right to a loaded variant: until it is disposed, the variant stays.</summary>
internal sealed class VariantLease(LoadedVariant variant, VariantChoice choice, Action release) : IDisposable
{
    private Action? _release = release;

    public LoadedVariant Variant => variant;

    public VariantChoice Choice => choice;

    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}

/// <summary>The variant for a request, or why there is none.</summary>
internal readonly record struct Placement(VariantLease? Lease, InferenceError? Error);
