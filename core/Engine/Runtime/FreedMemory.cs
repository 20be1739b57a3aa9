using System.Runtime.InteropServices;

namespace R1Serverless.Engine.Runtime;

/// <summary>What native code has freed. glibc keeps much of it, in as many arenas as threads allocated at once, for what is allocated next; after a
/// model was unloaded that can be as much as the model took.</summary>
internal static partial class FreedMemory
{
    private static readonly bool CanTrim =
        OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out var library) && NativeLibrary.TryGetExport(library, "malloc_trim", out _);

    /// <summary>Gives it back to the system, pages in the middle of arenas too (malloc_trim(3)). Where the C library has no such call, it stays with
    /// the process.</summary>
    public static void Return()
    {
        if (CanTrim) _ = Trim(0);
    }

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);
}
