using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Runtime;

/// <summary>Pages of memory, as Linux maps them (mmap(2), madvise(2), memfd_create(2), fallocate(2)).</summary>
internal static partial class LinuxMemory
{
    private const int ReadWrite = 3, Shared = 1, Private = 2, Fixed = 0x10, Anonymous = 0x20, NoReserve = 0x4000, DontNeed = 4,
        DontDump = 16;
    private const int CloseOnExec = 1, KeepSize = 1, PunchHole = 2;

    public static readonly int Page = Environment.SystemPageSize;

    /// <summary>Addresses whose pages are taken when they are first written; zero until then. They are in no core dump: prompts could be read from
    /// them.</summary>
    /// <exception cref="DeviceMemoryException">The system gives no so many addresses.</exception>
    public static nint Reserve(long bytes)
    {
        var at = Map(0, (nuint)bytes, ReadWrite, Private | Anonymous | NoReserve, -1, 0);
        if (at == -1) throw new DeviceMemoryException($"{bytes} bytes of addresses can't be had: {Fault()}.");
        _ = Advise(at, (nuint)bytes, DontDump);
        return at;
    }

    /// <summary>Makes a reserved range new again, whatever was mapped there.</summary>
    public static void Renew(nint at, long bytes)
    {
        if (!TryRenew(at, bytes)) _ = Advise(at, (nuint)bytes, DontNeed);
    }

    /// <inheritdoc cref="Renew"/>
    /// <returns>False where the process has as many maps as it may have: what was mapped there still is.</returns>
    public static bool TryRenew(nint at, long bytes)
    {
        if (Map(at, (nuint)bytes, ReadWrite, Private | Anonymous | Fixed | NoReserve, -1, 0) != at) return false;
        _ = Advise(at, (nuint)bytes, DontDump);
        return true;
    }

    /// <summary>Gives back the whole pages of a range. What fails leaves them taken.</summary>
    public static void Release(nint start, long bytes)
    {
        var (first, end) = ((start + Page - 1) / Page * Page, (start + (nint)bytes) / Page * Page);
        if (end > first) _ = Advise(first, (nuint)(end - first), DontNeed);
    }

    public static void Free(nint at, long bytes) => _ = Unmap(at, (nuint)bytes);

    /// <summary>A file that is in memory only; null where the system has no such thing.</summary>
    public static SafeFileHandle? CreateFile()
    {
        try
        {
            var file = CreateFile("r1-prefixes", CloseOnExec);
            return file < 0 ? null : new SafeFileHandle(file, ownsHandle: true);
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Part of a file, to write it.</summary>
    /// <exception cref="DeviceMemoryException">The system gives no so many addresses.</exception>
    public static nint View(SafeFileHandle file, long offset, long bytes)
    {
        var at = Map(0, (nuint)bytes, ReadWrite, Shared, file, offset);
        return at != -1 ? at : throw new DeviceMemoryException($"{bytes} bytes of addresses can't be had: {Fault()}.");
    }

    /// <summary>Part of a file in place of a reserved range.</summary>
    /// <param name="isShared">Whether what is written there is written into the file; else a page that is written becomes the range's own, and the
    /// file stays as it is.</param>
    /// <returns>False where the process has as many maps as it may have.</returns>
    public static bool TryMap(nint at, long bytes, SafeFileHandle file, long offset, bool isShared) =>
        Map(at, (nuint)bytes, ReadWrite, (isShared ? Shared : Private) | Fixed | NoReserve, file, offset) == at;

    /// <summary>Gives back the pages of part of a file.</summary>
    public static void Punch(SafeFileHandle file, long offset, long bytes) => _ = Allocate(file, KeepSize | PunchHole, offset, bytes);

    /// <summary>Maps that a process may have (proc(5)).</summary>
    public static int MaxMaps()
    {
        try
        {
            return int.TryParse(File.ReadAllText("/proc/sys/vm/max_map_count"), out var most) ? most : 65_530;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return 65_530;
        }
    }

    private static string Fault() => new Win32Exception(Marshal.GetLastPInvokeError()).Message;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint at, nuint bytes, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint at, nuint bytes, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint at, nuint bytes);

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(nint at, nuint bytes, int advice);

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int CreateFile(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "fallocate")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long bytes);
}
